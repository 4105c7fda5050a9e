#if defined(__x86_64__) || defined(_M_X64)
#include "kernels/pwconv/pwconv.h"

#include <utility>

#include "simd/avx2.h"

namespace sn {
namespace {
// 16 registers: 12 sums, 2 inputs (or weights), 1 broadcast.
constexpr int kPlanesMr = 6, kPlanesNr = 2;
constexpr int kChannelsNr = 2, kChannelsAccumulators = 12, kChannelsMr = 8;
}  // namespace
}  // namespace sn

#include "kernels/pwconv/pwconv_tile.inl"

const sn::PwconvKernels sn::pwconv_avx2 = kPwconv;

#include "simd/end.h"
#endif
