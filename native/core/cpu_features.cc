#include "core/cpu_features.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#elif defined(_M_X64)
#include <intrin.h>
#elif (defined(__arm__) || defined(__aarch64__)) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace sn {
namespace {

#if defined(__x86_64__) || defined(_M_X64)
void cpuid(unsigned leaf, unsigned subleaf, unsigned (&r)[4]) {
#if defined(_M_X64)
  __cpuidex(reinterpret_cast<int*>(r), static_cast<int>(leaf), static_cast<int>(subleaf));
#else
  if (!__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3])) r[0] = r[1] = r[2] = r[3] = 0;
#endif
}

// Which register files the operating system saves.
unsigned long long xcr0() {
#if defined(_M_X64)
  return _xgetbv(0);
#else
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
#endif
}

CpuFeatures detect() {
  CpuFeatures cpu;
  unsigned leaf1[4], leaf7[4];
  cpuid(1, 0, leaf1);
  cpuid(7, 0, leaf7);
  const auto bit = [](unsigned word, int n) { return (word >> n & 1) != 0; };
  if (!bit(leaf1[2], 27)) return cpu;  // OSXSAVE
  const unsigned long long saved = xcr0();
  const bool ymm = (saved & 0x6) == 0x6, zmm = (saved & 0xe6) == 0xe6;
  cpu.avx2 = ymm && bit(leaf1[2], 28) && bit(leaf1[2], 12) && bit(leaf7[1], 5);
  cpu.avx512 = cpu.avx2 && zmm && bit(leaf7[1], 16) && bit(leaf7[1], 17) && bit(leaf7[1], 30) && bit(leaf7[1], 31);
  return cpu;
}
#elif defined(__aarch64__)
CpuFeatures detect() {
  CpuFeatures cpu;
  cpu.neon = true;  // part of the base architecture
#if defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)
  cpu.fp16 = true;
#elif defined(__linux__)
  cpu.fp16 = (~getauxval(AT_HWCAP) & (HWCAP_FPHP | HWCAP_ASIMDHP)) == 0;
#endif
  return cpu;
}
#elif defined(__arm__) && defined(__linux__)
CpuFeatures detect() {
  CpuFeatures cpu;
  const unsigned long hwcap = getauxval(AT_HWCAP);
  cpu.neon = (hwcap & HWCAP_NEON) && (hwcap & HWCAP_VFPv4);
  return cpu;
}
#else
CpuFeatures detect() { return {}; }
#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

}  // namespace sn
