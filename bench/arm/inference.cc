// One inference of a network of the paper's table at 224x224, between the hints that count_instructions.cc knows:
//   inference GROUPS QUARTERS PRECISION      QUARTERS: the scale factor in quarters; PRECISION: fp32 or fp16
// With COUNT_STEPS in the environment it prints a line for each lap: kind, form and shape of the step. They come of a
// profile, which takes four times as long as what is counted.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/flush_denormals.h"
#include "plan/model.h"

namespace {

#if defined(__aarch64__) || defined(__arm__)
#define SN_HINT(n) __asm__ volatile("hint #" #n ::: "memory")
#if defined(__arm__)
#undef SN_HINT
#if defined(__thumb__)
#define SN_HINT(n) __asm__ volatile(".inst.w 0xf3af8000 | " #n ::: "memory")
#else
#define SN_HINT(n) __asm__ volatile(".inst 0xe320f000 | " #n ::: "memory")
#endif
#endif
#else
#define SN_HINT(n)
#endif

// Batch norm is left out: it is folded before anything runs.
class Network {
 public:
  Network(int groups, int quarters) {
    const int widths[] = {groups == 1 ? 144 : groups == 2 ? 200 : groups == 3 ? 240 : groups == 4 ? 272 : 384};
    sn::Layer input;
    input.channels = 3;
    int x = add(sn::LayerKind::kInput, input), channels = 24 * quarters / 4;
    channels = (channels + groups - 1) / groups * groups;
    x = relu(conv(x, 3, channels, 3, 2, 1));
    x = window(sn::LayerKind::kMaxPool, x);
    const int units[] = {4, 8, 4};
    for (int stage = 0; stage < 3; stage++) {
      const int out = (widths[0] << stage) * quarters / 4, mid = out / 4;
      for (int unit = 0; unit < units[stage]; unit++) {
        const bool down = unit == 0;
        const int made = down ? out - channels : out;
        int y = relu(conv(x, channels, mid, 1, 1, stage == 0 && down ? 1 : groups));
        if (groups > 1) y = shuffle(y, groups);
        y = conv(y, mid, mid, 3, down ? 2 : 1, mid);
        y = conv(y, mid, made, 1, 1, groups);
        x = relu(down ? join(sn::LayerKind::kConcat, window(sn::LayerKind::kAvgPool, x), y)
                      : join(sn::LayerKind::kAdd, x, y));
        channels = out;
      }
    }
    x = join(sn::LayerKind::kGlobalAvgPool, x, -1);
    sn::Layer layer;
    layer.input = x;
    layer.channels = 1000;
    layer.weight = parameter(static_cast<size_t>(1000) * channels, channels);
    layer.bias = parameter(1000, 1000);
    graph.outputs = {add(sn::LayerKind::kFullyConnected, layer)};
  }

  sn::Graph graph;

 private:
  int add(sn::LayerKind kind, sn::Layer layer) {
    layer.kind = kind;
    layer.name = "layer" + std::to_string(graph.layers.size());
    graph.layers.push_back(layer);
    return static_cast<int>(graph.layers.size()) - 1;
  }
  sn::Parameter parameter(size_t size, int fan_in) {
    std::vector<float>& values = storage_.emplace_back(size);
    const float scale = 1.7f / std::sqrt(static_cast<float>(fan_in)) / static_cast<float>(1u << 31);
    for (float& v : values) v = scale * static_cast<float>(static_cast<int32_t>(random_()));
    return {"parameter" + std::to_string(storage_.size()), values.data(), size, sn::DataType::kF32};
  }
  int conv(int input, int in, int out, int kernel, int stride, int groups) {
    sn::Layer layer;
    layer.input = input;
    layer.channels = out;
    layer.kernel = kernel;
    layer.stride = stride;
    layer.groups = groups;
    layer.padding.begin = layer.padding.end = kernel / 2;
    const int fan_in = in / groups * kernel * kernel;
    layer.weight = parameter(static_cast<size_t>(out) * fan_in, fan_in);
    layer.bias = parameter(out, out);
    return add(sn::LayerKind::kConv, layer);
  }
  int join(sn::LayerKind kind, int a, int b) {
    sn::Layer layer;
    layer.input = a;
    layer.input2 = b;
    return add(kind, layer);
  }
  int relu(int input) { return join(sn::LayerKind::kRelu, input, -1); }
  int shuffle(int input, int groups) {
    sn::Layer layer;
    layer.input = input;
    layer.groups = groups;
    return add(sn::LayerKind::kShuffle, layer);
  }
  int window(sn::LayerKind kind, int input) {
    sn::Layer layer;
    layer.input = input;
    layer.kernel = 3;
    layer.stride = 2;
    layer.padding = {1, 1, false, false};
    layer.count_padding = true;
    return add(kind, layer);
  }

  std::mt19937 random_{7};
  std::deque<std::vector<float>> storage_;
};

class Laps : public sn::StepObserver {
 public:
  void piece_done(int step) override {
    SN_HINT(0x62);
    steps.push_back(step);
  }
  std::vector<int> steps;
};

int run(int groups, int quarters, sn::Precision precision) {
  constexpr int kSize = 224;
  const Network network(groups, quarters);
  const auto weights = sn::SharedWeights::get("", network.graph, sn::select_kernels(precision));
  const sn::Plan plan(weights->graph, weights->kernels, weights->packed, kSize, kSize, 1);
  sn::ThreadPool pool(1);
  const sn::AlignedBuffer arena(plan.arena_floats());
  std::vector<float> image(static_cast<size_t>(3) * kSize * kSize), logits(plan.output_size(0));
  std::mt19937 random(11);
  for (float& v : image) v = static_cast<float>(static_cast<int32_t>(random())) / static_cast<float>(1u << 31);
  float* const outputs[] = {logits.data()};
  Laps laps;
  laps.steps.reserve(1000);
  const sn::FlushDenormals flush;
  SN_HINT(0x60);
  plan.run(image.data(), outputs, arena.data(), pool, sn::Cancellation(), &laps);
  SN_HINT(0x61);
  if (std::getenv("COUNT_STEPS")) {
    const sn::Profile profile = plan.profile(arena.data(), pool, 1, sn::Cancellation());
    for (const int step : laps.steps) {
      const sn::StepProfile& s = profile.steps[step];
      std::printf("%s %s %dx%dx%d k%d g%d\n", s.kind, s.form, s.output_channels, s.height, s.width, s.input_channels,
                  s.groups);
    }
  }
  std::printf("%s %g\n", weights->kernels.isa, static_cast<double>(logits[0]));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count != 4) return 2;
    const bool half = std::string(arguments[3]) == "fp16";
    return run(std::atoi(arguments[1]), std::atoi(arguments[2]), half ? sn::Precision::kHalf : sn::Precision::kSingle);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
