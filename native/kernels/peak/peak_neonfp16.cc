#include "core/half.h"
#ifdef SN_HALF
#include "kernels/peak/peak.h"

#include "simd/neon_fp16.h"

namespace sn {
namespace {
// As peak_neon.cc.
constexpr int kChains = 24;
inline Vec step(Vec sum, Vec one) { return fma(one, one, sum); }
}  // namespace
}  // namespace sn

#include "kernels/peak/peak_tile.inl"

const sn::PeakKernels sn::peak_neonfp16 = kPeak;

#include "simd/end.h"
#endif
