#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/dwconv/dwconv.h"

#include "simd/neon.h"
#include "kernels/dwconv/dwconv_tile.inl"

const sn::DwconvKernels sn::dwconv_neon = kDwconv;

#include "simd/end.h"
#endif
