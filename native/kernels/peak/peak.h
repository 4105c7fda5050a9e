// The most multiply-adds that a core can make: chains of them in registers, with neither loads nor stores. What kernels
// reach is told as a share of this (plan/profile.cc, which has the clock).
#pragma once
#include <cstddef>

namespace sn {

struct PeakKernels {
  int lanes, chains;  // a round is lanes * chains multiply-adds: enough chains to hide the latency of one
  // Adds one * one to each of lanes * chains sums, `rounds` times. `one` must be 1, which the compiler may not know.
  void (*run)(float one, ptrdiff_t rounds, float* sums);
};

extern const PeakKernels peak_scalar, peak_neon, peak_neonfp16, peak_avx2, peak_avx512;

}  // namespace sn
