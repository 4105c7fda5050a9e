#include "kernels/dwconv/dwconv.h"

namespace sn {

void pack_dwconv_channels(const float* weights, const float* bias, int channels, float* packed) {
  for (int c = 0; c < channels; c++) {
    packed[c] = bias[c];
    for (int t = 0; t < 9; t++) packed[static_cast<ptrdiff_t>(t + 1) * channels + c] = weights[9 * c + t];
  }
}

void pack_dwconv_planes(const float* weights, const float* bias, int channels, float* packed) {
  for (int c = 0; c < channels; c++) {
    *packed++ = bias[c];
    for (int t = 0; t < 9; t++) *packed++ = weights[9 * c + t];
  }
}

}  // namespace sn
