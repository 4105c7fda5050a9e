#include "kernels/dwconv/dwconv.h"

#include "simd/scalar.h"
#include "kernels/dwconv/dwconv_tile.inl"

const sn::DwconvKernels sn::dwconv_scalar = kDwconv;

#include "simd/end.h"
