#include "core/half.h"
#ifdef SN_HALF
#include "kernels/elementwise/elementwise.h"

#include "simd/neon_fp16.h"
#include "kernels/elementwise/elementwise_tile.inl"

const sn::ElementwiseKernelsOf<sn::Half> sn::elementwise_neonfp16 = kElementwise;

#include "simd/end.h"
#endif
