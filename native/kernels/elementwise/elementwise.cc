#include "kernels/elementwise/elementwise.h"

#include <cmath>

#include "core/half.h"

namespace sn {

template <class T>
void strided_sum(const StridedInput<T>& a, const StridedInput<T>& b, ptrdiff_t pixels, int begin, int end, T* output,
                 ptrdiff_t channel_stride, ptrdiff_t pixel_stride, float lower) {
  for (int c = begin; c < end; c++) {
    const T* x = a.data + a.channels[c];
    const T* y = b.data ? b.data + b.channels[c] : nullptr;
    T* out = output + c * channel_stride;
    for (ptrdiff_t p = 0; p < pixels; p++) {
      const float sum = x[p * a.pixel_stride] + (y ? y[p * b.pixel_stride] : 0.0f);
      out[p * pixel_stride] = static_cast<T>(sum < lower ? lower : sum);
    }
  }
}

template <class In, class Out>
void sigmoid(const In* input, int count, Out* output) {
  for (int i = 0; i < count; i++) {
    output[i] = static_cast<Out>(1.0f / (1.0f + std::exp(-static_cast<float>(input[i]))));
  }
}

template void strided_sum(const StridedInput<float>&, const StridedInput<float>&, ptrdiff_t, int, int, float*,
                          ptrdiff_t, ptrdiff_t, float);
template void sigmoid(const float*, int, float*);
#ifdef SN_HALF
template void strided_sum(const StridedInput<Half>&, const StridedInput<Half>&, ptrdiff_t, int, int, Half*, ptrdiff_t,
                          ptrdiff_t, float);
template void sigmoid(const float*, int, Half*);
template void sigmoid(const Half*, int, Half*);
template void sigmoid(const Half*, int, float*);
#endif

void softmax(float* values, int count) {
  float most = values[0];
  for (int i = 1; i < count; i++) most = values[i] > most ? values[i] : most;
  float total = 0.0f;
  for (int i = 0; i < count; i++) total += values[i] = std::exp(values[i] - most);
  for (int i = 0; i < count; i++) values[i] /= total;
}

}  // namespace sn
