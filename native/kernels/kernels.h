// Every kernel of one instruction set, and the choice of that set.
#pragma once
#include <string>
#include <vector>

#include "kernels/dwconv/dwconv.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/peak/peak.h"
#include "kernels/pool/pool.h"
#include "kernels/pwconv/pwconv.h"
#include "kernels/rows/rows.h"

namespace sn {

struct Kernels {
  const char* isa;  // scalar, neon, avx2, avx512: the word used everywhere (API, SHUFFLENET_ISA, tests, benchmarks)
  PwconvKernels pwconv;
  RowsKernels rows;
  DwconvKernels dwconv;
  PoolKernels pool;
  ElementwiseKernels elementwise;
  PeakKernels peak;
};

// What this build has and this CPU can run, best first; always ends with scalar.
const std::vector<Kernels>& available_kernels();

// The best, or the one that the environment variable SHUFFLENET_ISA names. Throws Error(kIsa) where that is not
// available.
const Kernels& select_kernels();

}  // namespace sn
