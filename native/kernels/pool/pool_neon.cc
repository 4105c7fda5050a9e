#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/pool/pool.h"

#include <cmath>

#include "simd/neon.h"
#include "kernels/pool/pool_lanes_tile.inl"

const sn::PoolKernels sn::pool_neon = kPoolByStrips;

#include "simd/end.h"
#endif
