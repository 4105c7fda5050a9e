#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/pwconv/pwconv.h"

#include <utility>

#include "simd/neon.h"

namespace sn {
namespace {
// 16 sums, 2 inputs (or weights), broadcasts: fits AArch64's 32 registers.
constexpr int kPlanesMr = 8, kPlanesNr = 2;
constexpr int kChannelsNr = 2, kChannelsAccumulators = 16, kChannelsMr = 8;
}  // namespace
}  // namespace sn

#include "kernels/pwconv/pwconv_tile.inl"

const sn::PwconvKernels sn::pwconv_neon = kPwconv;

#include "simd/end.h"
#endif
