#include "core/half.h"
#ifdef SN_HALF
#include "kernels/dwconv/dwconv.h"

#include <cmath>

#if !defined(__clang__)
// As in dwconv_neon.cc.
#pragma GCC optimize("no-schedule-insns")
#endif
#include "simd/neon_fp16.h"

namespace sn {
namespace {
// As in dwconv_neon.cc.
constexpr int kDwconvRows = 4;
constexpr int kStripVectors = 7;
constexpr int kDwconvPixels = 7;
}  // namespace
}  // namespace sn

#include "kernels/dwconv/dwconv_lanes_tile.inl"

const sn::DwconvKernelsOf<sn::Half> sn::dwconv_neonfp16 = kDwconvByStrips;

#include "simd/end.h"
#endif
