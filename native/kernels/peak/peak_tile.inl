// Chains of multiply-adds over the vectors of the including file's instruction set. The including file defines before:
//   kChains               sums in flight; with the operand they must fit the registers
//   step(sum, one)        sum + one * one as the instruction set's multiply-add has it, without a copy of a register
namespace sn {
namespace {

void run(float value, ptrdiff_t rounds, float* sums) {
  const Vec one = set1(value);
  Vec acc[kChains];
#pragma GCC unroll 48
  for (int c = 0; c < kChains; c++) acc[c] = load(sums + c * kLanes);
  for (ptrdiff_t i = 0; i < rounds; i++) {
#pragma GCC unroll 48
    for (int c = 0; c < kChains; c++) acc[c] = step(acc[c], one);
  }
#pragma GCC unroll 48
  for (int c = 0; c < kChains; c++) store(sums + c * kLanes, acc[c]);
}

constexpr PeakKernels kPeak = {kLanes, kChains, run};

}  // namespace
}  // namespace sn
