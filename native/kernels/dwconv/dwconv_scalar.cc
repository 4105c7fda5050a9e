#include "kernels/dwconv/dwconv.h"

#include "simd/scalar.h"

namespace sn {
namespace {
constexpr int kDwconvRows = 2;
constexpr int kDwconvPixels = 1;
}  // namespace
}  // namespace sn

#include "kernels/dwconv/dwconv_tile.inl"

const sn::DwconvKernels sn::dwconv_scalar = kDwconv;

#include "simd/end.h"
