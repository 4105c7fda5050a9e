#include "kernels/kernels.h"

#include <cstdlib>

#include "core/cpu_features.h"
#include "core/error.h"

namespace sn {

const std::vector<Kernels>& available_kernels() {
  // Never destroyed: runs may go on while the process exits.
  static const auto& available = *new const std::vector<Kernels>([] {
    const CpuFeatures& cpu = cpu_features();
    std::vector<Kernels> kernels;
#if defined(__x86_64__) || defined(_M_X64)
    if (cpu.avx512) {
      kernels.push_back({"avx512",
                         {pwconv_avx512, rows_avx512, dwconv_avx512, pool_avx512, elementwise_avx512},
                         nullptr,
                         peak_avx512});
    }
    if (cpu.avx2) {
      kernels.push_back(
          {"avx2", {pwconv_avx2, rows_avx2, dwconv_avx2, pool_avx2, elementwise_avx2}, nullptr, peak_avx2});
    }
#elif defined(__aarch64__) || defined(__arm__)
#ifdef SN_HALF
    if (cpu.fp16) {
      static const auto& halves = *new const KernelSet<Half>{pwconv_neonfp16, rows_neonfp16, dwconv_neonfp16,
                                                             pool_neonfp16, elementwise_neonfp16};
      kernels.push_back(
          {"neonfp16", {pwconv_neon, rows_neon, dwconv_neon, pool_neon, elementwise_neon}, &halves, peak_neonfp16});
    }
#endif
    if (cpu.neon) {
      kernels.push_back(
          {"neon", {pwconv_neon, rows_neon, dwconv_neon, pool_neon, elementwise_neon}, nullptr, peak_neon});
    }
#endif
    static_cast<void>(cpu);
    kernels.push_back(
        {"scalar", {pwconv_scalar, rows_scalar, dwconv_scalar, pool_scalar, elementwise_scalar}, nullptr, peak_scalar});
    return kernels;
  }());
  return available;
}

const Kernels& select_kernels(Precision precision) {
  const char* forced = std::getenv("SHUFFLENET_ISA");
  bool found = !forced || !*forced;
  std::string names;
  for (const Kernels& kernels : available_kernels()) {
    found = found || forced == std::string(kernels.isa);
    if (found && (precision == Precision::kHalf || !kernels.halves)) return kernels;
    names += names.empty() ? kernels.isa : std::string(", ") + kernels.isa;
  }
  throw Error(ErrorCode::kIsa,
              "SHUFFLENET_ISA is '" + std::string(forced) + "', but this CPU and build have: " + names);
}

}  // namespace sn
