#include "kernels/pwconv/pwconv.h"

namespace sn {

size_t pwconv_planes_size(int k, int n) { return static_cast<size_t>(k + 1) * n; }

size_t pwconv_channels_size(int k, int n, int lanes) {
  return static_cast<size_t>(k + 1) * ((n + lanes - 1) / lanes * lanes);
}

namespace {

// One panel of `width` channels from `first`, of which those at n and above are padding.
float* pack_panel(const float* weights, const float* bias, int k, int n, int first, int width, float* packed) {
  for (int i = 0; i < width; i++) *packed++ = first + i < n ? bias[first + i] : 0.0f;
  for (int j = 0; j < k; j++) {
    for (int i = 0; i < width; i++) {
      *packed++ = first + i < n ? weights[static_cast<size_t>(first + i) * k + j] : 0.0f;
    }
  }
  return packed;
}

}  // namespace

void pack_pwconv_planes(const float* weights, const float* bias, int k, int n, int mr, int unit, float* packed) {
  const Panels panels(n, mr, unit);
  for (int i = 0, first = 0; i < panels.parts; first += panels.size(i++)) {
    packed = pack_panel(weights, bias, k, n, first, panels.size(i), packed);
  }
}

void pack_pwconv_channels(const float* weights, const float* bias, int k, int n, int lanes, int nr, float* packed) {
  const Split panels((n + lanes - 1) / lanes, nr);
  for (int i = 0; i < panels.parts; i++) {
    packed = pack_panel(weights, bias, k, n, panels.begin(i) * lanes, panels.size(i) * lanes, packed);
  }
}

}  // namespace sn
