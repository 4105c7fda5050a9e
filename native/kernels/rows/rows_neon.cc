#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/rows/rows.h"

#include "simd/neon.h"
#include "kernels/rows/rows_tile.inl"

const sn::RowsKernels sn::rows_neon = kRows;

#include "simd/end.h"
#endif
