#include "core/half.h"
#ifdef SN_HALF
#include "kernels/pwconv/pwconv.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#if !defined(__clang__)
// As in pwconv_neon.cc.
#pragma GCC optimize("no-schedule-insns")
#endif
#include "simd/neon_fp16.h"

namespace sn {
namespace {
// As in pwconv_neon.cc.
constexpr int kPlanesMr = 8, kPlanesNr = 6, kPlanesUnit = 4, kChannelsNr = 3;
constexpr int planes_nr(int mr) { return mr > 4 ? 3 : 6; }
constexpr int channels_mr(int nr) { return nr > 2 ? 7 : 8; }
constexpr double kChannelsCost = 1.1;
}  // namespace
}  // namespace sn

#define SN_PLANES_TILES "kernels/pwconv/pwconv_planes_arm64_half.inl"
#include "kernels/pwconv/pwconv_lanes_tile.inl"

#include "kernels/pwconv/pwconv_channels_arm64_half.inl"

const sn::PwconvKernelsOf<sn::Half> sn::pwconv_neonfp16 = kPwconvBySevens;

#include "simd/end.h"
#endif
