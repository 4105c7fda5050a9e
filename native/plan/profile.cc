#include "plan/profile.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "core/error.h"
#include "plan/plan.h"

namespace sn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Before the runs that count: memory is mapped, caches are filled and helpers are awake.
constexpr int kWarmUps = 3;

const char* kind_of(OpKind kind) {
  switch (kind) {
    case OpKind::kConv: return "conv";
    case OpKind::kPointwise: return "pwconv";
    case OpKind::kDepthwise: return "dwconv";
    case OpKind::kPool: return "pool";
    case OpKind::kGlobalPool: return "globalPool";
    case OpKind::kFullyConnected: return "fc";
    case OpKind::kScale: return "scale";
    case OpKind::kSigmoid: return "sigmoid";
    case OpKind::kSum: return "sum";
  }
  return "";
}

// Of the output, 0 where the operation has no weights.
double products_per_value(const FusedGraph& graph, const Op& op) {
  switch (op.kind) {
    case OpKind::kConv:
    case OpKind::kPointwise:
    case OpKind::kFullyConnected: return static_cast<double>(group_inputs(graph, op)) * op.kernel * op.kernel;
    case OpKind::kDepthwise: return static_cast<double>(op.kernel) * op.kernel;
    default: return 0;
  }
}

// The seconds of each step of a run.
class Stopwatch : public StepObserver {
 public:
  explicit Stopwatch(size_t steps) : steps_(steps) {}
  void start() {
    std::fill(steps_.begin(), steps_.end(), 0.0);
    begin_ = Clock::now();
  }
  void piece_done(int step) override {
    const Clock::time_point now = Clock::now();
    steps_[step] += std::chrono::duration<double>(now - begin_).count();
    begin_ = now;
  }
  const std::vector<double>& steps() const { return steps_; }

 private:
  Clock::time_point begin_;
  std::vector<double> steps_;
};

void summarise(std::vector<double>& times, double& median, double& least) {
  std::sort(times.begin(), times.end());
  median = (times[(times.size() - 1) / 2] + times[times.size() / 2]) / 2;
  least = times.front();
}

}  // namespace

double measure_peak(const PeakKernels& kernels) {
  constexpr ptrdiff_t kRounds = 10000;
  std::vector<float> sums(static_cast<size_t>(kernels.lanes) * kernels.chains);
  const volatile float one = 1.0f;
  double best = 1;
  const Clock::time_point begin = Clock::now();
  do {
    const Clock::time_point start = Clock::now();
    kernels.run(one, kRounds, sums.data());
    best = std::min(best, seconds_since(start));
  } while (seconds_since(begin) < 0.01);
  return 2e-9 * static_cast<double>(kRounds) * static_cast<double>(sums.size()) / best;
}

StepProfile Plan::describe(const Step& step) const {
  const Op& op = *step.op;
  const Placement& out = placement(op.output);
  StepProfile p;
  p.name = op.name;
  p.kind = kind_of(op.kind);
  p.form = step.form == Layout::kPlanes ? "planes" : "channels";
  p.groups = op.groups;
  p.input_channels = graph_.values[op.input].channels;
  p.output_channels = graph_.values[op.output].channels;
  p.height = out.height;
  p.width = out.width;
  p.kernel = op.kernel;
  p.stride = op.stride;
  const auto tensor = [&](int value) { return graph_.tensors[graph_.values[value].tensor]; };
  const auto values = [&](int value) {
    return static_cast<double>(graph_.values[value].channels * placement(value).pixels());
  };
  const double products = products_per_value(graph_, op);
  p.multiply_adds = values(op.output) * products;
  const double weights = products > 0 ? p.output_channels * (products + 1) : 0;
  p.bytes = static_cast<double>(element_size(tensor(op.input), kernels_)) * weights;
  for (const int value : {op.input, op.residual, op.factor, op.output}) {
    if (value >= 0) p.bytes += static_cast<double>(element_size(tensor(value), kernels_)) * values(value);
  }
  return p;
}

Profile Plan::profile(float* arena, ThreadPool& pool, int runs, const Cancellation& cancellation) const {
  std::vector<float> input(static_cast<size_t>(graph_.values[graph_.input].channels) *
                           placement(graph_.input).pixels());
  std::minstd_rand random;
  for (float& value : input) value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  std::vector<float> output(output_size(0));
  std::vector<float*> outputs(graph_.outputs.size());
  outputs[0] = output.data();

  Profile profile;
  profile.peak = measure_peak(kernels_.peak);
  Stopwatch watch(steps_.size());
  std::vector<double> whole(runs);
  std::vector<std::vector<double>> steps(steps_.size());
  for (int run = -kWarmUps; run < runs; run++) {
    const Clock::time_point begin = Clock::now();
    watch.start();
    if (!this->run(input.data(), outputs.data(), arena, pool, cancellation, &watch)) {
      throw Error(ErrorCode::kCancelled, "the profile was cancelled");
    }
    if (run < 0) continue;
    whole[run] = seconds_since(begin);
    for (size_t s = 0; s < steps.size(); s++) steps[s].push_back(watch.steps()[s]);
  }
  // The clock of a core that has warmed up, or cooled down.
  profile.peak = std::max(profile.peak, measure_peak(kernels_.peak));
  summarise(whole, profile.median, profile.least);
  for (size_t s = 0; s < steps.size(); s++) {
    profile.steps.push_back(describe(steps_[s]));
    summarise(steps[s], profile.steps.back().median, profile.steps.back().least);
  }
  return profile;
}

}  // namespace sn
