#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/peak/peak.h"

#include "simd/neon.h"

namespace sn {
namespace {
// Four ports of latency 4 on large cores; ARMv7 has 16 registers. The instruction overwrites its addend.
#if defined(__aarch64__)
constexpr int kChains = 24;
#else
constexpr int kChains = 14;
#endif
inline Vec step(Vec sum, Vec one) { return fma(one, one, sum); }
}  // namespace
}  // namespace sn

#include "kernels/peak/peak_tile.inl"

const sn::PeakKernels sn::peak_neon = kPeak;

#include "simd/end.h"
#endif
