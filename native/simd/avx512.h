// AVX-512 F, BW, DQ, VL: 16 floats. Operations: see simd/scalar.h.
#define SN_REGION_OPEN
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
// GCC 12's own headers make "undefined" operands out of uninitialised variables (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#define SN_DIAGNOSTIC_OPEN
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
namespace sn {
namespace {

using Element = float;
using Vec = __m512;
constexpr int kLanes = 16;

inline __mmask16 first_lanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }

inline Vec set1(float x) { return _mm512_set1_ps(x); }
inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec a) { _mm512_storeu_ps(p, a); }
inline Vec load_partial(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
inline void store_partial(float* p, Vec a, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), a); }
constexpr int kMaskedWidth = 1;
using Mask = __mmask16;
inline Mask lanes_between(int begin, int end) {
  const int b = begin < 0 ? 0 : begin > 16 ? 16 : begin, e = end < 0 ? 0 : end > 16 ? 16 : end;
  return static_cast<__mmask16>(((1u << e) - 1) & ~((1u << b) - 1));
}
inline Vec load_masked(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
inline Vec load_masked(const float* p, Mask mask, Vec fill) { return _mm512_mask_loadu_ps(fill, mask, p); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec max(Vec x, Vec lo) { return _mm512_max_ps(lo, x); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
// A vector as four quarters of four lanes (no other instruction set has these). The four values at p in each quarter; or
// each of the N values at p all over one.
#define SN_QUARTERS
inline Vec repeat_quarter(const float* p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
template <int N>
inline Vec spread_quarters(const float* p) {
  const __m128 values = N == 4 ? _mm_loadu_ps(p) : _mm_maskz_loadu_ps((1 << N) - 1, p);
  const __m512i at = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return _mm512_permutevar_ps(_mm512_broadcast_f32x4(values), at);
}
// The first n values of quarter I, at p; touches nothing else.
template <int I>
inline Vec load_quarter(Vec v, const float* p, int n) {
  return _mm512_insertf32x4(v, _mm_maskz_loadu_ps(static_cast<__mmask8>((1u << n) - 1), p), I);
}
template <int I>
inline void store_quarter(float* p, Vec v, int n) {
  __m128 quarter = _mm512_extractf32x4_ps(v, I);
#if defined(__GNUC__)
  // Or GCC makes a masked vextractf32x4 of both, which faults for lanes that the mask leaves out.
  __asm__("" : "+x"(quarter));
#endif
  _mm_mask_storeu_ps(p, static_cast<__mmask8>((1u << n) - 1), quarter);
}
inline void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
  const __m512i at = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  even = _mm512_permutex2var_ps(a, at, b);
  odd = _mm512_permutex2var_ps(a, _mm512_add_epi32(at, _mm512_set1_epi32(1)), b);
}
inline void load_split(const float* p, Vec& even, Vec& odd) { deinterleave(load(p), load(p + kLanes), even, odd); }
inline Vec shift_in(Vec a, Vec b) {
  return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(b), _mm512_castps_si512(a), 1));
}
inline float sum(Vec a) { return _mm512_reduce_add_ps(a); }
inline float maximum(Vec a) { return _mm512_reduce_max_ps(a); }

}  // namespace
}  // namespace sn
