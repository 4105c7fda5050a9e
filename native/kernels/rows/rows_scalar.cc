#include "kernels/rows/rows.h"

#include "simd/scalar.h"
#include "kernels/rows/rows_tile.inl"

const sn::RowsKernels sn::rows_scalar = kRows;

#include "simd/end.h"
