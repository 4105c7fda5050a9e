#include "kernels/elementwise/elementwise.h"

#include <cmath>

namespace sn {

void strided_sum(const StridedInput& a, const StridedInput& b, ptrdiff_t pixels, int begin, int end, float* output,
                 ptrdiff_t channel_stride, ptrdiff_t pixel_stride, float lower) {
  for (int c = begin; c < end; c++) {
    const float* x = a.data + a.channels[c];
    const float* y = b.data ? b.data + b.channels[c] : nullptr;
    float* out = output + c * channel_stride;
    for (ptrdiff_t p = 0; p < pixels; p++) {
      const float sum = x[p * a.pixel_stride] + (y ? y[p * b.pixel_stride] : 0.0f);
      out[p * pixel_stride] = sum < lower ? lower : sum;
    }
  }
}

void sigmoid(const float* input, int count, float* output) {
  for (int i = 0; i < count; i++) output[i] = 1.0f / (1.0f + std::exp(-input[i]));
}

void softmax(float* values, int count) {
  float most = values[0];
  for (int i = 1; i < count; i++) most = values[i] > most ? values[i] : most;
  float total = 0.0f;
  for (int i = 0; i < count; i++) total += values[i] = std::exp(values[i] - most);
  for (int i = 0; i < count; i++) values[i] /= total;
}

}  // namespace sn
