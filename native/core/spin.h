// Waiting for work that is likely to come within microseconds, when waking a sleeping thread takes tens of them.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace sn {

// About 50 microseconds: longer than any step leaves a helper idle, short enough to cost an idle process nothing.
constexpr int kSpins = 2000;

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

}  // namespace sn
