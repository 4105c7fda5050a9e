// For tiles that must stay in registers: loops over constants, and what keeps GCC from better ideas. Included by the
// headers of NEON, in their regions.
#include <type_traits>
#include <utility>

namespace sn {
namespace {

template <int N>
using Indices = std::make_integer_sequence<int, N>;

// Calls f(std::integral_constant<int, I>()) for I from 0 to N - 1: lanes must be constants.
template <class F, int... I>
inline void each(std::integer_sequence<int, I...>, [[maybe_unused]] F f) {
  (f(std::integral_constant<int, I>()), ...);
}

template <int N, class F>
inline void each(F f) {
  each(Indices<N>(), f);
}

// All that the function calls becomes a part of it: GCC would rather call what it sees several times, and leave sums in
// memory.
#if defined(__GNUC__)
#define SN_FLATTEN __attribute__((flatten))
#else
#define SN_FLATTEN
#endif

// Keeps GCC from taking an address apart again, after which it no longer loads pairs of vectors from it nor counts it up
// as it loads.
template <class T>
inline void pin([[maybe_unused]] T*& p) {
#if defined(__GNUC__)
  __asm__("" : "+r"(p));
#endif
}
inline void pin_value([[maybe_unused]] int& i) {
#if defined(__GNUC__)
  __asm__("" : "+r"(i));
#endif
}
template <class V>
inline void pin_vector([[maybe_unused]] V& v) {
#if defined(__GNUC__)
  __asm__("" : "+w"(v));
#endif
}

}  // namespace
}  // namespace sn
