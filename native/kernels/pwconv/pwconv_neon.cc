#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/pwconv/pwconv.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#if defined(__GNUC__) && !defined(__clang__)
// With all registers taken, loading earlier than written makes GCC spill sums.
#pragma GCC optimize("no-schedule-insns")
#endif
#include "simd/neon.h"

namespace sn {
namespace {
#if defined(__aarch64__)
// 32 registers. Planes: 24 sums, the inputs and the weights; 8x3 or 4x6. Channels: 5x4, 7x3 or 8x2.
constexpr int kPlanesMr = 8, kPlanesNr = 6, kPlanesUnit = 4, kChannelsNr = 4;
constexpr int planes_nr(int mr) { return mr > 4 ? 3 : 6; }
constexpr int channels_mr(int nr) { return nr > 3 ? 5 : nr > 2 ? 7 : 8; }
#else
// 16 registers. Planes: 12 sums, the inputs and the weights; 6x2 or 4x3. Channels: 8 sums, 4 inputs, 2 weights.
constexpr int kPlanesMr = 6, kPlanesNr = 6, kPlanesUnit = 2, kChannelsNr = 2;
constexpr int planes_nr(int mr) { return mr > 4 ? 2 : 3; }
constexpr int channels_mr(int) { return 4; }
#endif
// Keeps everything but single pixels in planes: the tiles of the channels form are not tuned yet.
constexpr double kChannelsCost = 1.3;
}  // namespace
}  // namespace sn

#if defined(__aarch64__) && defined(__GNUC__)
#define SN_PLANES_TILES "kernels/pwconv/pwconv_planes_arm64.inl"
#elif defined(__GNUC__)
#define SN_PLANES_TILES "kernels/pwconv/pwconv_planes_arm.inl"
#endif
#ifdef SN_PLANES_TILES
#define SN_EDGES_IN_TILES
#endif
#include "kernels/pwconv/pwconv_lanes_tile.inl"

const sn::PwconvKernels sn::pwconv_neon = kPwconv;

#include "simd/end.h"
#endif
