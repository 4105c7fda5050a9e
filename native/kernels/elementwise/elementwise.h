// What is left between convolutions: the squeeze-and-excitation scale (paper, table 5), sigmoid and softmax, and one
// general strided sum for graphs whose shuffle, add or concatenation nothing can absorb.
#pragma once
#include <cstddef>
#include <cstdint>

namespace sn {

// out = max(in * factor + residual, lower) over a run of values.
struct Scale {
  const float* input;
  const float* residual;  // null for none; may be the output
  float* output;          // may be the input
  float lower;            // 0 for ReLU, -infinity for none
};

struct ElementwiseKernels {
  // One factor for all `count` values (a plane).
  void (*scale_plane)(const Scale&, float factor, ptrdiff_t count);
  // A factor for each of `count` values (the channels of a pixel).
  void (*scale_pixel)(const Scale&, const float* factors, ptrdiff_t count);
};

extern const ElementwiseKernels elementwise_scalar, elementwise_neon, elementwise_avx2, elementwise_avx512;

// A tensor of any layout: pixel p of channel c at data[channels[c] + p * pixel_stride].
struct StridedInput {
  const float* data;
  const int32_t* channels;
  ptrdiff_t pixel_stride;
};

// output[c * channel_stride + p * pixel_stride] = max(a + b, lower) for channels [begin, end); b.data may be null.
void strided_sum(const StridedInput& a, const StridedInput& b, ptrdiff_t pixels, int begin, int end, float* output,
                 ptrdiff_t channel_stride, ptrdiff_t pixel_stride, float lower);
void sigmoid(const float* input, int count, float* output);
// In place; each value becomes exp(x) / sum of exp, computed from the maximum so that no exponent overflows.
void softmax(float* values, int count);

}  // namespace sn
