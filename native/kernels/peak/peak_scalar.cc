#include "kernels/peak/peak.h"

#include "simd/scalar.h"

namespace sn {
namespace {
// The compiler makes vectors of them where the baseline has any: twelve of SSE's. The sum is a factor, for a product of
// constants would leave the loop.
constexpr int kChains = 48;
inline Vec step(Vec sum, Vec one) { return fma(sum, one, one); }
}  // namespace
}  // namespace sn

#include "kernels/peak/peak_tile.inl"

const sn::PeakKernels sn::peak_scalar = kPeak;

#include "simd/end.h"
