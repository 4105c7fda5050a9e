#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/dwconv/dwconv.h"

#include "simd/neon.h"

namespace sn {
namespace {
#if defined(__aarch64__)
constexpr int kDwconvRows = 4;
#else
constexpr int kDwconvRows = 2;
#endif
// 7 sums, 3 weights, 1 input.
constexpr int kDwconvPixels = 7;
}  // namespace
}  // namespace sn

#include "kernels/dwconv/dwconv_tile.inl"

const sn::DwconvKernels sn::dwconv_neon = kDwconv;

#include "simd/end.h"
#endif
