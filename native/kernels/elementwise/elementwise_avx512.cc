#if defined(__x86_64__) || defined(_M_X64)
#include "kernels/elementwise/elementwise.h"

#include "simd/avx512.h"
#include "kernels/elementwise/elementwise_tile.inl"

const sn::ElementwiseKernels sn::elementwise_avx512 = kElementwise;

#include "simd/end.h"
#endif
