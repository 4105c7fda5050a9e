#if defined(__x86_64__) || defined(_M_X64)
#include "kernels/pool/pool.h"

#include <cmath>

#include "simd/avx2.h"
#include "kernels/pool/pool_tile.inl"

const sn::PoolKernels sn::pool_avx2 = kPool;

#include "simd/end.h"
#endif
