#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/elementwise/elementwise.h"

#include "simd/neon.h"
#include "kernels/elementwise/elementwise_tile.inl"

const sn::ElementwiseKernels sn::elementwise_neon = kElementwise;

#include "simd/end.h"
#endif
