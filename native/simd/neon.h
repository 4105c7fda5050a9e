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

using Element = float;
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
// A masked load is a whole one that stays between the mask's limits, whose bytes are then put where they belong.
constexpr int kMaskedWidth = kLanes;
struct Mask {
  ptrdiff_t shift;
  uint8x16_t from;
};
inline Mask lanes_between(int begin, int end) {
  const int shift = begin > 0 ? begin : end < kLanes ? end - kLanes : 0;
  int32_t table[kLanes];
  for (int i = 0; i < kLanes; i++) table[i] = i < begin || i >= end ? -1 : 0x03020100 + 0x04040404 * (i - shift);
  return {shift, vreinterpretq_u8_s32(vld1q_s32(table))};
}
inline Vec pick_bytes(Vec vector, uint8x16_t from) {
  const uint8x16_t v = vreinterpretq_u8_f32(vector);
#if defined(__aarch64__)
  return vreinterpretq_f32_u8(vqtbl1q_u8(v, from));
#else
  const uint8x8x2_t halves = {{vget_low_u8(v), vget_high_u8(v)}};
  return vreinterpretq_f32_u8(vcombine_u8(vtbl2_u8(halves, vget_low_u8(from)), vtbl2_u8(halves, vget_high_u8(from))));
#endif
}
inline Vec load_masked(const float* p, const Mask& mask) { return pick_bytes(load(p + mask.shift), mask.from); }
inline Vec load_masked(const float* p, const Mask& mask, Vec fill) {
  const uint8x16_t v = vreinterpretq_u8_f32(load(p + mask.shift)), f = vreinterpretq_u8_f32(fill);
#if defined(__aarch64__)
  return vreinterpretq_f32_u8(vqtbx1q_u8(f, v, mask.from));
#else
  const uint8x8x2_t halves = {{vget_low_u8(v), vget_high_u8(v)}};
  const uint8x8_t low = vtbl2_u8(halves, vget_low_u8(mask.from)), high = vtbl2_u8(halves, vget_high_u8(mask.from));
  const uint8x16_t outside = vceqq_u8(mask.from, vdupq_n_u8(0xff));
  return vreinterpretq_f32_u8(vbslq_u8(outside, f, vcombine_u8(low, high)));
#endif
}
inline Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
inline Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
inline Vec max(Vec x, Vec lo) { return vmaxq_f32(x, lo); }
inline Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
// Beyond simd/scalar.h: half a vector, and c + a * (lane L of b).
using HalfVec = float32x2_t;
inline HalfVec load_half(const float* p) { return vld1_f32(p); }
inline HalfVec load_quarter(const float* p) { return vld1_dup_f32(p); }
inline HalfVec set1_half(float x) { return vdup_n_f32(x); }
template <int L>
inline Vec broadcast_lane(Vec a) {
  return vdupq_lane_f32(L < 2 ? vget_low_f32(a) : vget_high_f32(a), L % 2);
}
#if defined(__aarch64__)
template <int L>
inline Vec fma_lane(Vec c, Vec a, Vec b) {
  return vfmaq_laneq_f32(c, a, b, L);
}
template <int L>
inline Vec fma_half_lane(Vec c, Vec a, HalfVec b) {
  return vfmaq_lane_f32(c, a, b, L);
}
#else
// Rounded twice: VFMA takes no lane.
template <int L>
inline Vec fma_half_lane(Vec c, Vec a, HalfVec b) {
  return vmlaq_lane_f32(c, a, b, L);
}
template <int L>
inline Vec fma_lane(Vec c, Vec a, Vec b) {
  return fma_half_lane<L % 2>(c, a, L < 2 ? vget_low_f32(b) : vget_high_f32(b));
}
#endif
// Lanes L to 3 of a, then 0 to L - 1 of b.
template <int L>
inline Vec shift(Vec a, Vec b) {
  return vextq_f32(a, b, L);
}
// Lanes 1 to n - 1, then zeros.
struct NextLanes {
  uint8x16_t from;
};
inline NextLanes next_lanes(int n) {
  uint32_t table[kLanes];
  for (int i = 0; i < kLanes; i++) table[i] = i + 1 < n ? 0x07060504u + 0x04040404u * static_cast<uint32_t>(i) : ~0u;
  return {vreinterpretq_u8_u32(vld1q_u32(table))};
}
inline Vec next_lane(Vec v, const NextLanes& lanes) { return pick_bytes(v, lanes.from); }
inline void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
  const float32x4x2_t v = vuzpq_f32(a, b);
  even = v.val[0];
  odd = v.val[1];
}
inline void load_split(const float* p, Vec& even, Vec& odd) {
  const float32x4x2_t v = vld2q_f32(p);
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

#include "simd/unroll.h"
