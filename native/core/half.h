// Half-precision numbers where this build has kernels for them: 11 bits of significand, magnitudes up to 65504.
#pragma once
#include <cstddef>

namespace sn {

// GCC compiles single functions for what the baseline lacks; other compilers only have the intrinsics where it is in
// their baseline.
#if defined(__aarch64__) && defined(__GNUC__) && (!defined(__clang__) || defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC))
#define SN_HALF
using Half = __fp16;
constexpr bool kHalf = true;
// Rounded to nearest.
void to_halves(const float* from, ptrdiff_t count, Half* to);
#else
struct Half;
constexpr bool kHalf = false;
#endif
constexpr float kMostHalf = 65504;

// f(pointer to T) for the element type that is in use.
template <class F>
auto with_element([[maybe_unused]] bool half, F f) {
  if constexpr (kHalf) {
    if (half) return f(static_cast<Half*>(nullptr));
  }
  return f(static_cast<float*>(nullptr));
}

}  // namespace sn
