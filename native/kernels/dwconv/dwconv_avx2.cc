#if defined(__x86_64__) || defined(_M_X64)
#include "kernels/dwconv/dwconv.h"

#include "simd/avx2.h"

namespace sn {
namespace {
constexpr int kDwconvRows = 2;
constexpr int kDwconvPixels = 1;
}  // namespace
}  // namespace sn

#include "kernels/dwconv/dwconv_tile.inl"

const sn::DwconvKernels sn::dwconv_avx2 = kDwconv;

#include "simd/end.h"
#endif
