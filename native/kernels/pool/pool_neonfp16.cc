#include "core/half.h"
#ifdef SN_HALF
#include "kernels/pool/pool.h"

#include <cmath>

#include "simd/neon_fp16.h"

#include "kernels/pool/pool_lanes_tile.inl"

namespace sn {
namespace {

// Global averages are summed up as floats: the classifier sees nothing else of an image.
struct Sums {
  float32x4_t low = vdupq_n_f32(0), high = vdupq_n_f32(0);
  void add(Vec v) {
    low = vaddq_f32(low, vcvt_f32_f16(vget_low_f16(v)));
    high = vaddq_f32(high, vcvt_high_f32_f16(v));
  }
};

inline Vec load_up_to(const Element* p, ptrdiff_t n) {
  return n >= kLanes ? load(p) : load_partial(p, static_cast<int>(n));
}

float global_plane(const Element* plane, ptrdiff_t pixels, bool average) {
  if (average) {
    Sums sums;
    for (ptrdiff_t i = 0; i < pixels; i += kLanes) sums.add(load_up_to(plane + i, pixels - i));
    return vaddvq_f32(vaddq_f32(sums.low, sums.high)) / static_cast<float>(pixels);
  }
  float result = -INFINITY;
  ptrdiff_t i = 0;
  if (pixels >= kLanes) {
    Vec most = load(plane);
    for (i = kLanes; i + kLanes <= pixels; i += kLanes) most = max(most, load(plane + i));
    result = vmaxvq_f16(most);
  }
  for (; i < pixels; i++) result = result < plane[i] ? static_cast<float>(plane[i]) : result;
  return result;
}

void global_channels(const Element* input, ptrdiff_t pixels, int channels, bool average, int begin, int end,
                     float* output) {
  for (int c = begin; c < end; c += kLanes) {
    const int lanes = end - c < kLanes ? end - c : kLanes;
    Sums sums;
    Vec most = set1(-INFINITY);
    for (ptrdiff_t p = 0; p < pixels; p++) {
      const Element* const in = input + p * channels + c;
      const Vec v = load_up_to(in, lanes);
      if (average) {
        sums.add(v);
      } else {
        most = max(most, v);
      }
    }
    float values[kLanes];
    if (average) {
      const float scale = 1.0f / static_cast<float>(pixels);
      vst1q_f32(values, vmulq_n_f32(sums.low, scale));
      vst1q_f32(values + 4, vmulq_n_f32(sums.high, scale));
    } else {
      store(values, most);
    }
    for (int i = 0; i < lanes; i++) output[c + i] = values[i];
  }
}

}  // namespace
}  // namespace sn

const sn::PoolKernelsOf<sn::Half> sn::pool_neonfp16 = {pool_planes_by_strips, pool_channels, global_plane,
                                                       global_channels};

#include "simd/end.h"
#endif
