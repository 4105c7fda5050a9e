#include "kernels/pwconv/pwconv.h"

#include <utility>

#include "simd/scalar.h"

namespace sn {
namespace {
// Enough sums in flight for a scalar FPU, few enough for 16 registers.
constexpr int kPlanesMr = 4, kPlanesNr = 2;
constexpr int kChannelsNr = 4, kChannelsAccumulators = 8, kChannelsMr = 4;
}  // namespace
}  // namespace sn

#include "kernels/pwconv/pwconv_tile.inl"

const sn::PwconvKernels sn::pwconv_scalar = kPwconv;

#include "simd/end.h"
