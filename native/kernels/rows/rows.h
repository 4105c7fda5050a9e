// Rows of a plane made ready for windows: padded, and split by column modulo the stride, so that any window position of
// consecutive outputs is a run of consecutive values. Convolutions and pools of every padding rule read these rows and
// need no borders of their own; nothing is ever read outside the plane.
#pragma once
#include <cstddef>

#include "core/half.h"

namespace sn {

// T: the element type, float or Half (core/half.h).
template <class T>
struct RowsOf {
  const T* plane;  // dense, height x width
  int height, width;
  int pad;      // columns of padding before; padded column j is plane column j - pad
  int stride;   // phases: padded column j is value j / stride of phase j % stride
  int columns;  // values of one phase of one row, as rows_columns says
  float fill;   // value of everything outside the plane
};

// Enough columns for `outputs` windows of `kernel` columns read in vectors of `lanes`, and for the whole plane; and a
// vector of slack at the end, which makes short rows cheap to write and holds anything.
constexpr int rows_columns(int width, int pad, int kernel, int stride, int outputs, int lanes) {
  const int windows = (outputs + lanes - 1) / lanes * lanes + (kernel - 1) / stride;
  const int plane = (width + pad + stride - 1) / stride;
  return (windows > plane ? windows : plane) + lanes;
}

template <class T>
struct RowsKernelsOf {
  // Plane rows [first, first + count), which may lie outside the plane, to scratch[count][stride][columns].
  void (*fill)(const RowsOf<T>&, int first, int count, T* scratch);
};

using Rows = RowsOf<float>;
using RowsKernels = RowsKernelsOf<float>;

extern const RowsKernels rows_scalar, rows_neon, rows_avx2, rows_avx512;
extern const RowsKernelsOf<Half> rows_neonfp16;

}  // namespace sn
