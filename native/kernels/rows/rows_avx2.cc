#if defined(__x86_64__) || defined(_M_X64)
#include "kernels/rows/rows.h"

#include "simd/avx2.h"
#include "kernels/rows/rows_tile.inl"

const sn::RowsKernels sn::rows_avx2 = kRows;

#include "simd/end.h"
#endif
