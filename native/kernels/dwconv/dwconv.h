// 3x3 depthwise convolution, stride 1 or 2 (paper, figure 2 b and c), in both layouts of kernels/pwconv.
//   out = max(bias + sum over the window of weight * in, lower)
#pragma once
#include <cstddef>

#include "core/half.h"

namespace sn {

// T: the element type, float or Half (core/half.h).
template <class T>
struct DwconvPlanesOf {
  const T* input;          // of the first channel: dense rows of `width` columns
  ptrdiff_t input_stride;  // from one channel to the next
  int channels, height, width;
  int pad_y, pad_x;  // rows and columns of padding before
  int stride;        // 1 or 2
  const T* weights;  // from pack_dwconv_planes
  T* output;         // of the first channel: dense rows of `output_width` columns
  ptrdiff_t output_stride;
  int output_width;
  float lower;  // 0 for ReLU, -infinity for none
};

template <class T>
struct DwconvChannelsOf {
  const T* input;  // pixel-major, dense: channel c of pixel (y, x) is input[(y * width + x) * channels + c]
  int height, width, channels;
  int pad_y, pad_x;  // rows and columns of padding before
  int stride;        // 1 or 2
  const T* weights;  // from pack_dwconv_channels
  T* output;         // pixel-major, dense
  int output_width;
  float lower;
};

template <class T>
struct DwconvKernelsOf {
  // Output rows [begin, end) of all channels. Touches nothing beyond the rows of their windows.
  void (*planes)(const DwconvPlanesOf<T>&, int begin, int end);
  // Output rows [begin, end), channels [channel_begin, channel_end); touches nothing beyond them. channel_begin must be
  // a multiple of the lanes, channel_end too or equal to channels.
  void (*channels)(const DwconvChannelsOf<T>&, int begin, int end, int channel_begin, int channel_end);
};

using DwconvPlanes = DwconvPlanesOf<float>;
using DwconvChannels = DwconvChannelsOf<float>;
using DwconvKernels = DwconvKernelsOf<float>;

extern const DwconvKernels dwconv_scalar, dwconv_neon, dwconv_avx2, dwconv_avx512;
extern const DwconvKernelsOf<Half> dwconv_neonfp16;

// weights: [channels][9], bias: [channels] -> [10][channels]: the biases, then one row for each place of the window.
void pack_dwconv_channels(const float* weights, const float* bias, int channels, float* packed);
// -> [channels][10]
void pack_dwconv_planes(const float* weights, const float* bias, int channels, float* packed);

}  // namespace sn
