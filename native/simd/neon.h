// NEON (Advanced SIMD): 4 floats, AArch64 and ARMv7. Operations: see simd/scalar.h.
#if defined(__arm__) && defined(__GNUC__) && !defined(__ARM_FEATURE_FMA)
// The 32-bit baseline has no NEON; VFPv4 brings it with fused multiply-add (Cortex-A7, A53 and later).
#pragma GCC push_options
#pragma GCC target("fpu=neon-vfpv4")
#define SN_REGION_OPEN
#endif
#include <arm_neon.h>
namespace sn {
namespace {

using Vec = float32x4_t;
constexpr int kLanes = 4;

inline Vec set1(float x) { return vdupq_n_f32(x); }
inline Vec load(const float* p) { return vld1q_f32(p); }
inline void store(float* p, Vec a) { vst1q_f32(p, a); }
inline Vec load_partial(const float* p, int n) {
  Vec v = vld1q_lane_f32(p, vdupq_n_f32(0.0f), 0);
  if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
  if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
  return v;
}
inline void store_partial(float* p, Vec a, int n) {
  vst1q_lane_f32(p, a, 0);
  if (n > 1) vst1q_lane_f32(p + 1, a, 1);
  if (n > 2) vst1q_lane_f32(p + 2, a, 2);
}
struct Mask {
  int begin, end;
};
inline Mask lanes_between(int begin, int end) { return {begin < 0 ? 0 : begin, end > kLanes ? kLanes : end}; }
inline Vec load_masked(const float* p, Mask mask, Vec fill) {
  if (mask.begin == 0 && mask.end == kLanes) return load(p);
  float values[kLanes];
  vst1q_f32(values, fill);
  for (int i = mask.begin; i < mask.end; i++) values[i] = p[i];
  return vld1q_f32(values);
}
inline Vec load_masked(const float* p, Mask mask) { return load_masked(p, mask, vdupq_n_f32(0.0f)); }
inline Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
inline Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
inline Vec max(Vec x, Vec lo) { return vmaxq_f32(x, lo); }
inline Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
inline void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
  const float32x4x2_t v = vuzpq_f32(a, b);
  even = v.val[0];
  odd = v.val[1];
}
inline Vec shift_in(Vec a, Vec b) { return vextq_f32(a, b, 1); }
inline float sum(Vec a) {
  const float32x2_t s = vadd_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(vpadd_f32(s, s), 0);
}
inline float maximum(Vec a) {
  const float32x2_t s = vmax_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(vpmax_f32(s, s), 0);
}

}  // namespace
}  // namespace sn
