// What is left between convolutions: the squeeze-and-excitation scale (paper, table 5), sigmoid and softmax, and one
// general strided sum for graphs whose shuffle, add or concatenation nothing can absorb.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/half.h"

namespace sn {

// out = max(in * factor + residual, lower) over a run of values.
// T: the element type, float or Half (core/half.h).
template <class T>
struct ScaleOf {
  const T* input;
  const T* residual;  // null for none; may be the output
  T* output;          // may be the input
  float lower;        // 0 for ReLU, -infinity for none
};

template <class T>
struct ElementwiseKernelsOf {
  // One factor for all `count` values (a plane).
  void (*scale_plane)(const ScaleOf<T>&, float factor, ptrdiff_t count);
  // A factor for each of `count` values (the channels of a pixel).
  void (*scale_pixel)(const ScaleOf<T>&, const T* factors, ptrdiff_t count);
};

using Scale = ScaleOf<float>;
using ElementwiseKernels = ElementwiseKernelsOf<float>;

extern const ElementwiseKernels elementwise_scalar, elementwise_neon, elementwise_avx2, elementwise_avx512;
extern const ElementwiseKernelsOf<Half> elementwise_neonfp16;

// A tensor of any layout: pixel p of channel c at data[channels[c] + p * pixel_stride].
template <class T>
struct StridedInput {
  const T* data;
  const int32_t* channels;
  ptrdiff_t pixel_stride;
};

// output[c * channel_stride + p * pixel_stride] = max(a + b, lower) for channels [begin, end); b.data may be null.
template <class T>
void strided_sum(const StridedInput<T>& a, const StridedInput<T>& b, ptrdiff_t pixels, int begin, int end, T* output,
                 ptrdiff_t channel_stride, ptrdiff_t pixel_stride, float lower);
template <class In, class Out>
void sigmoid(const In* input, int count, Out* output);
// In place; each value becomes exp(x) / sum of exp, computed from the maximum so that no exponent overflows.
void softmax(float* values, int count);

}  // namespace sn
