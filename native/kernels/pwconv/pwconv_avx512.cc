#if defined(__x86_64__) || defined(_M_X64)
#include "kernels/pwconv/pwconv.h"

#include <utility>

#include "simd/avx512.h"

namespace sn {
namespace {
// 32 registers: 24 or 25 sums, up to 5 weights, 1 or 2 broadcasts.
constexpr int kPlanesMr = 12, kPlanesNr = 2;
constexpr int kChannelsNr = 5, kChannelsAccumulators = 25, kChannelsMr = 8;
}  // namespace
}  // namespace sn

#include "kernels/pwconv/pwconv_tile.inl"

const sn::PwconvKernels sn::pwconv_avx512 = kPwconv;

#include "simd/end.h"
#endif
