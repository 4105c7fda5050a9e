// What the CPU and its operating system can run, by CPUID/XGETBV or getauxval; never by reading /proc or /sys, which
// may be absent in containers.
#pragma once

namespace sn {

struct CpuFeatures {
  bool avx2 = false;    // with FMA
  bool avx512 = false;  // F, BW, DQ, VL
  bool neon = false;    // with fused multiply-add
  bool fp16 = false;    // NEON computes with halves
};

const CpuFeatures& cpu_features();

}  // namespace sn
