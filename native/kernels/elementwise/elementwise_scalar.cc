#include "kernels/elementwise/elementwise.h"

#include "simd/scalar.h"
#include "kernels/elementwise/elementwise_tile.inl"

const sn::ElementwiseKernels sn::elementwise_scalar = kElementwise;

#include "simd/end.h"
