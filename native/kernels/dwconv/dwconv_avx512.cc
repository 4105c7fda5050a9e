#if defined(__x86_64__) || defined(_M_X64)
#include "kernels/dwconv/dwconv.h"

#include "simd/avx512.h"

namespace sn {
namespace {
// 9 weights, 7 sums: the planes of the paper's table have 28, 14 and 7 rows.
constexpr int kDwconvRows = 7;
constexpr int kDwconvPixels = 1;
}  // namespace
}  // namespace sn

#include "kernels/dwconv/dwconv_tile.inl"

const sn::DwconvKernels sn::dwconv_avx512 = kDwconv;

#include "simd/end.h"
#endif
