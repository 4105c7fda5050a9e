// Plain C++ "vectors" of one value. Each simd/<isa>.h defines the same operations on struct Vec in an unnamed namespace
// (internal linkage: code compiled for one instruction set must never be merged with another's) and opens a region that
// is compiled for that instruction set; simd/end.h closes it. Include standard headers before.
//
//   Element                   float, or Half
//   kLanes                    values per vector (a power of two)
//   load, store               kLanes values, unaligned
//   load_partial(p, n)        first n values, 0 < n < kLanes, the other lanes are zero; touches nothing past p + n
//   store_partial(p, v, n)    first n values; touches nothing past p + n
//   lanes_between(b, e)       a Mask of lanes b <= i < e; b and e may be any numbers
//   kMaskedWidth              the least e - b of a mask that is loaded with
//   load_masked(p, m)         the lanes of m, the others are zero; touches nothing but [p + b, p + e)
//   load_masked(p, m, fill)   the others are fill's
//   set1(x)  add  mul  max    lane-wise; max(x, lo) keeps a NaN of x
//   fma(a, b, c)              a * b + c, rounded once where the hardware can
//   deinterleave(a, b, even, odd)  splits the 2 * kLanes values of a, then b into those at even and at odd positions
//   load_split(p, even, odd)  deinterleaves the 2 * kLanes values at p
//   shift_in(a, b)            lanes 1, 2, ... of a, then lane 0 of b
//   sum(v)  maximum(v)        over all lanes
#include <cmath>
namespace sn {
namespace {

using Element = float;
struct Vec {
  float v;
};
constexpr int kLanes = 1;

inline Vec set1(float x) { return {x}; }
inline Vec load(const float* p) { return {*p}; }
inline void store(float* p, Vec a) { *p = a.v; }
inline Vec load_partial(const float*, int) { return {0.0f}; }
inline void store_partial(float*, Vec, int) {}
constexpr int kMaskedWidth = 1;
using Mask = bool;
inline Mask lanes_between(int begin, int end) { return begin <= 0 && end > 0; }
inline Vec load_masked(const float* p, Mask mask) { return {mask ? *p : 0.0f}; }
inline Vec load_masked(const float* p, Mask mask, Vec fill) { return mask ? Vec{*p} : fill; }
inline Vec add(Vec a, Vec b) { return {a.v + b.v}; }
inline Vec mul(Vec a, Vec b) { return {a.v * b.v}; }
inline Vec max(Vec x, Vec lo) { return {x.v < lo.v ? lo.v : x.v}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
inline void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
  even = a;
  odd = b;
}
inline void load_split(const float* p, Vec& even, Vec& odd) { deinterleave(load(p), load(p + kLanes), even, odd); }
inline Vec shift_in(Vec, Vec b) { return b; }
inline float sum(Vec a) { return a.v; }
inline float maximum(Vec a) { return a.v; }

}  // namespace
}  // namespace sn
