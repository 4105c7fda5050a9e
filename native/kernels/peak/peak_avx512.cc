#if defined(__x86_64__) || defined(_M_X64)
#include "kernels/peak/peak.h"

#include "simd/avx512.h"

namespace sn {
namespace {
// Two ports of latency 4 want eight chains; there are 32 registers.
constexpr int kChains = 24;
inline Vec step(Vec sum, Vec one) { return fma(sum, one, one); }
}  // namespace
}  // namespace sn

#include "kernels/peak/peak_tile.inl"

const sn::PeakKernels sn::peak_avx512 = kPeak;

#include "simd/end.h"
#endif
