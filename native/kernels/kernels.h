// Every kernel of one instruction set, and the choice of that set.
#pragma once
#include <string>
#include <type_traits>
#include <vector>

#include "core/half.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/peak/peak.h"
#include "kernels/pool/pool.h"
#include "kernels/pwconv/pwconv.h"
#include "kernels/rows/rows.h"

namespace sn {

// T: the element type, float or Half.
template <class T>
struct KernelSet {
  PwconvKernelsOf<T> pwconv;
  RowsKernelsOf<T> rows;
  DwconvKernelsOf<T> dwconv;
  PoolKernelsOf<T> pool;
  ElementwiseKernelsOf<T> elementwise;
};

struct Kernels {
  // scalar, neon, neonfp16, avx2, avx512: the word used everywhere (API, SHUFFLENET_ISA, tests, benchmarks)
  const char* isa;
  KernelSet<float> floats;
  const KernelSet<Half>* halves;  // null where everything is float
  PeakKernels peak;

  // Of an element type that the set has.
  template <class T>
  const KernelSet<T>& of(T* = nullptr) const {
    if constexpr (std::is_same_v<T, float>) {
      return floats;
    } else {
      return *halves;
    }
  }
};

// What a user allows.
enum class Precision { kSingle, kHalf };

// What this build has and this CPU can run, best first; always ends with scalar.
const std::vector<Kernels>& available_kernels();

// The best of this precision or a better one; or, where the environment variable SHUFFLENET_ISA names one, no better one
// than that. Throws Error(kIsa) where that is not available.
const Kernels& select_kernels(Precision precision = Precision::kSingle);

}  // namespace sn
