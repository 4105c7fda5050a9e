// NEON with half-precision arithmetic (ARMv8.2, asimdhp): 8 halves. Operations: see simd/scalar.h.
#include <arm_neon.h>
#define SN_REGION_OPEN
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("fullfp16"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+fp16")
#endif
namespace sn {
namespace {

using Element = __fp16;
using Vec = float16x8_t;
constexpr int kLanes = 8;

inline Vec set1(float x) { return vdupq_n_f16(static_cast<Element>(x)); }
inline Vec load(const Element* p) { return vld1q_f16(p); }
inline void store(Element* p, Vec a) { vst1q_f16(p, a); }
// Beyond simd/scalar.h: from and to floats.
inline Vec load(const float* p) { return vcvt_high_f16_f32(vcvt_f16_f32(vld1q_f32(p)), vld1q_f32(p + 4)); }
inline void store(float* p, Vec a) {
  vst1q_f32(p, vcvt_f32_f16(vget_low_f16(a)));
  vst1q_f32(p + 4, vcvt_high_f32_f16(a));
}
// Four, two and one of the values.
inline Vec load_partial(const Element* p, int n) {
  uint64_t words[2] = {}, last = 0;
  uint16_t one;
  if (n & 4) __builtin_memcpy(words, p, 8);
  if (n & 2) __builtin_memcpy(&last, p + (n & 4), 4);
  if (n & 1) {
    __builtin_memcpy(&one, p + n - 1, 2);
    last |= static_cast<uint64_t>(one) << (n & 2) * 16;
  }
  words[n / 4] |= last;
  return vreinterpretq_f16_u64(vcombine_u64(vcreate_u64(words[0]), vcreate_u64(words[1])));
}
inline void store_partial(Element* p, Vec a, int n) {
  const uint64x2_t v = vreinterpretq_u64_f16(a);
  uint64_t word = vgetq_lane_u64(v, 0);
  if (n & 4) {
    __builtin_memcpy(p, &word, 8);
    word = vgetq_lane_u64(v, 1);
    p += 4;
  }
  if (n & 2) {
    __builtin_memcpy(p, &word, 4);
    word >>= 32;
    p += 2;
  }
  if (n & 1) __builtin_memcpy(p, &word, 2);
}
// As in simd/neon.h.
constexpr int kMaskedWidth = kLanes;
struct Mask {
  ptrdiff_t shift;
  uint8x16_t from;
};
inline Mask lanes_between(int begin, int end) {
  const int shift = begin > 0 ? begin : end < kLanes ? end - kLanes : 0;
  int16_t table[kLanes];
  for (int i = 0; i < kLanes; i++) {
    table[i] = static_cast<int16_t>(i < begin || i >= end ? -1 : 0x0100 + 0x0202 * (i - shift));
  }
  return {shift, vreinterpretq_u8_s16(vld1q_s16(table))};
}
inline Vec load_masked(const Element* p, const Mask& mask) {
  return vreinterpretq_f16_u8(vqtbl1q_u8(vreinterpretq_u8_f16(load(p + mask.shift)), mask.from));
}
inline Vec load_masked(const Element* p, const Mask& mask, Vec fill) {
  const uint8x16_t v = vreinterpretq_u8_f16(load(p + mask.shift));
  return vreinterpretq_f16_u8(vqtbx1q_u8(vreinterpretq_u8_f16(fill), v, mask.from));
}
inline Vec add(Vec a, Vec b) { return vaddq_f16(a, b); }
inline Vec mul(Vec a, Vec b) { return vmulq_f16(a, b); }
inline Vec max(Vec x, Vec lo) { return vmaxq_f16(x, lo); }
inline Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f16(c, a, b); }
// Beyond simd/scalar.h, as in simd/neon.h.
using HalfVec = float16x4_t;
inline HalfVec load_half(const Element* p) { return vld1_f16(p); }
template <int L>
inline Vec broadcast_lane(Vec a) {
  return vdupq_laneq_f16(a, L);
}
inline HalfVec load_quarter(const Element* p) {
  uint32_t two;
  __builtin_memcpy(&two, p, 4);
  return vreinterpret_f16_u32(vdup_n_u32(two));
}
inline HalfVec set1_half(float x) { return vdup_n_f16(static_cast<Element>(x)); }
template <int L>
inline Vec fma_lane(Vec c, Vec a, Vec b) {
  return vfmaq_laneq_f16(c, a, b, L);
}
template <int L>
inline Vec fma_half_lane(Vec c, Vec a, HalfVec b) {
  return vfmaq_lane_f16(c, a, b, L);
}
inline void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
  even = vuzp1q_f16(a, b);
  odd = vuzp2q_f16(a, b);
}
template <int L>
inline Vec shift(Vec a, Vec b) {
  return vextq_f16(a, b, L);
}
inline void load_split(const Element* p, Vec& even, Vec& odd) {
  const float16x8x2_t v = vld2q_f16(p);
  even = v.val[0];
  odd = v.val[1];
}
struct NextLanes {
  uint8x16_t from;
};
inline NextLanes next_lanes(int n) {
  uint16_t table[kLanes];
  for (int i = 0; i < kLanes; i++) table[i] = static_cast<uint16_t>(i + 1 < n ? 0x0302 + 0x0202 * i : 0xffff);
  return {vreinterpretq_u8_u16(vld1q_u16(table))};
}
inline Vec next_lane(Vec v, const NextLanes& lanes) {
  return vreinterpretq_f16_u8(vqtbl1q_u8(vreinterpretq_u8_f16(v), lanes.from));
}
inline Vec shift_in(Vec a, Vec b) { return vextq_f16(a, b, 1); }

}  // namespace
}  // namespace sn

#include "simd/unroll.h"
