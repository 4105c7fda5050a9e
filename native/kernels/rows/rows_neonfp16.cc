#include "core/half.h"
#ifdef SN_HALF
#include "kernels/rows/rows.h"

#include "simd/neon_fp16.h"
#include "kernels/rows/rows_tile.inl"

const sn::RowsKernelsOf<sn::Half> sn::rows_neonfp16 = kRows;

#include "simd/end.h"
#endif
