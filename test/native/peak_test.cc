// Chains of multiply-adds, and the peak that they show.
#include "plan/profile.h"
#include "reference.h"

namespace sn::test {
namespace {

void run(const Kernels& kernels) {
  const int count = kernels.peak.lanes * kernels.peak.chains;
  for (int rounds : {0, 1, 2, 3, 100}) {
    begin_case("rounds %d", rounds);
    Output<float> sums(0, count);
    for (int i = 0; i < count; i++) {
      sums[i] = static_cast<float>(i);
      sums.expect(i, {static_cast<double>(i + rounds), 0});
    }
    kernels.peak.run(1.0f, rounds, sums.array());
    sums.check();
  }
}

void peak(const Kernels& kernels) {
  const double gflops = measure_peak(kernels.peak);
  // From an emulator to more than any core of today.
  if (!(gflops > 1e-4 && gflops < 2000)) fail("%g GFLOP/s", gflops);
}

const Test kTests[] = {
    {"every chain makes as many multiply-adds as rounds, and nothing else is written", run},
    {"the peak is one that a core can have", peak},
};

}  // namespace
}  // namespace sn::test
