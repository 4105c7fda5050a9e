#include "kernels/pool/pool.h"

#include <cmath>

#include "simd/scalar.h"
#include "kernels/pool/pool_tile.inl"

const sn::PoolKernels sn::pool_scalar = kPool;

#include "simd/end.h"
