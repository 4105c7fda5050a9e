// Max and average pools (stem and stride-2 shortcut, paper table 1 and figure 2c) and global pools, in both layouts of
// kernels/pwconv, with ReLU where one follows.
#pragma once
#include <cstddef>

#include "core/half.h"

namespace sn {

// T: the element type, float or Half (core/half.h).
template <class T>
struct PoolWindowOf {
  bool average;  // else the maximum
  int kernel, stride;
  // Average: a window's sum is multiplied by row_scale[output row] * column_scale[output column]; together these say
  // whether padding counts. Unused for the maximum.
  const T* row_scale;
  const T* column_scale;
  float lower;  // 0 for ReLU, -infinity for none
};

template <class T>
struct PoolPlanesOf {
  PoolWindowOf<T> window;
  const T* input;          // of the first channel: dense rows of `width` columns
  ptrdiff_t input_stride;  // from one channel to the next
  int channels, height, width;
  int pad_y, pad_x;  // rows and columns of padding before
  T* output;         // of the first channel: dense rows of `output_width` columns
  ptrdiff_t output_stride;
  int output_width;
};

template <class T>
struct PoolChannelsOf {
  PoolWindowOf<T> window;
  const T* input;  // pixel (y, x): input + (y * width + x) * input_stride
  ptrdiff_t input_stride;
  int height, width, channels;
  int pad_y, pad_x;  // rows and columns of padding before
  T* output;         // pixel (y, x): output + (y * output_width + x) * output_stride
  ptrdiff_t output_stride;
  int output_width;
};

template <class T>
struct PoolKernelsOf {
  // Output rows [begin, end) of all channels. Touches nothing beyond the rows of their windows.
  void (*planes)(const PoolPlanesOf<T>&, int begin, int end);
  // Output rows [begin, end).
  void (*channels)(const PoolChannelsOf<T>&, int begin, int end);
  // Mean (or maximum) of `pixels` values of one plane.
  float (*global_plane)(const T* plane, ptrdiff_t pixels, bool average);
  // Mean (or maximum) of `pixels` pixels, dense pixel-major, for channels [begin, end).
  void (*global_channels)(const T* input, ptrdiff_t pixels, int channels, bool average, int begin, int end,
                          float* output);
};

using PoolWindow = PoolWindowOf<float>;
using PoolPlanes = PoolPlanesOf<float>;
using PoolChannels = PoolChannelsOf<float>;
using PoolKernels = PoolKernelsOf<float>;

extern const PoolKernels pool_scalar, pool_neon, pool_avx2, pool_avx512;
extern const PoolKernelsOf<Half> pool_neonfp16;

}  // namespace sn
