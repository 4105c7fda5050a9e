#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/dwconv/dwconv.h"

#include <cmath>

#if defined(__GNUC__) && !defined(__clang__)
// With all registers taken, loading earlier than written makes GCC spill sums.
#pragma GCC optimize("no-schedule-insns")
#endif
#include "simd/neon.h"

namespace sn {
namespace {
#if defined(__aarch64__)
constexpr int kDwconvRows = 4;
constexpr int kStripVectors = 7;
#else
constexpr int kDwconvRows = 2;
constexpr int kStripVectors = 2;
#endif
// 7 sums, 3 weights, 1 input.
constexpr int kDwconvPixels = 7;
}  // namespace
}  // namespace sn

#include "kernels/dwconv/dwconv_lanes_tile.inl"

const sn::DwconvKernels sn::dwconv_neon = kDwconvByStrips;

#include "simd/end.h"
#endif
