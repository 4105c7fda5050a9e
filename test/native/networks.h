// Small networks of the paper's kind with random weights, for tests of graph, plan and model.
#pragma once
#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include "check.h"
#include "plan/model.h"

namespace sn::test {

class RandomNetwork {
 public:
  // Groups, widths, number of units, padding rules and squeeze-and-excitation by the seed.
  explicit RandomNetwork(Random& random) : random_(random) {
    const int groups = random.pick<int>({1, 2, 3, 4, 8});
    const Padding half = {1, 1, false, false}, ceil = {0, 0, true, false}, same = {0, 0, false, true};
    const Padding pool = random.pick<Padding>({half, half, ceil, same});
    Layer input;
    input.name = "input";
    input.channels = 3;
    int x = add(input);
    const int stem = groups * random.between(1, 6);
    x = relu(batch_norm(conv(x, 3, stem, 3, 2, 1, same_or(half)), stem));
    if (random.between(0, 3)) x = window(LayerKind::kMaxPool, x, pool);
    int channels = stem;
    for (int stage = 0, stages = random.between(1, 3); stage < stages; stage++) {
      const int out = channels + groups * random.between(1, 12);
      for (int unit = 0, units = random.between(1, 3); unit < units; unit++) {
        const int mid = groups * random.between(1, 10), stride = unit ? 1 : 2, made = unit ? out : out - channels;
        int y = relu(batch_norm(conv(x, channels, mid, 1, 1, stage || unit ? groups : 1, {}), mid));
        if (groups > 1 && random.between(0, 4)) y = shuffle(y, random.between(0, 1) ? groups : mid / groups);
        y = batch_norm(conv(y, mid, mid, 3, stride, mid, stride == 1 || pool.ceil ? half : pool), mid);
        y = batch_norm(conv(y, mid, made, 1, 1, groups, {}), made);
        if (random.one_in(4)) y = excite(y, made);
        if (stride == 1) {
          x = relu(join(LayerKind::kAdd, x, y));
        } else {
          const int shortcut = window(LayerKind::kAvgPool, x, pool.ceil ? half : pool);
          if (!pool.same && random.one_in(3)) {
            graph.layers[shortcut].padding.reflect = graph.layers[shortcut].count_padding = true;
          }
          const bool first = random.between(0, 1);
          x = relu(join(LayerKind::kConcat, first ? shortcut : y, first ? y : shortcut));
        }
        channels = out;
      }
    }
    graph.outputs = {0, x};
    x = unary(random.one_in(8) ? LayerKind::kGlobalMaxPool : LayerKind::kGlobalAvgPool, x);
    graph.outputs[0] = fully_connected(x, channels, random.between(1, 40));
  }

  Graph graph;

 private:
  Padding same_or(Padding other) { return random_.one_in(4) ? Padding{0, 0, false, true} : other; }

  int add(Layer layer) {
    if (layer.name.empty()) layer.name = "layer" + std::to_string(graph.layers.size());
    graph.layers.push_back(layer);
    return static_cast<int>(graph.layers.size()) - 1;
  }
  Parameter parameter(size_t size, float scale, float centre = 0) {
    std::vector<float>& values = storage_.emplace_back(size);
    for (float& v : values) v = centre + scale * random_.value();
    return {"parameter" + std::to_string(storage_.size()), values.data(), size, DataType::kF32};
  }
  int conv(int input, int in, int out, int kernel, int stride, int groups, Padding padding) {
    Layer layer;
    layer.kind = LayerKind::kConv;
    layer.input = input;
    layer.channels = out;
    layer.kernel = kernel;
    layer.stride = stride;
    layer.groups = groups;
    layer.padding = padding;
    const int fan_in = in / groups * kernel * kernel;
    layer.weight = parameter(static_cast<size_t>(out) * fan_in, 1.7f / std::sqrt(static_cast<float>(fan_in)));
    return add(layer);
  }
  int batch_norm(int input, int channels) {
    Layer layer;
    layer.kind = LayerKind::kBatchNorm;
    layer.input = input;
    layer.epsilon = 1e-5f;
    layer.gamma = parameter(channels, 0.5f, 1);
    layer.beta = parameter(channels, 0.3f);
    layer.mean = parameter(channels, 0.3f);
    layer.variance = parameter(channels, 0.5f, 1);
    return add(layer);
  }
  int fully_connected(int input, int in, int out) {
    Layer layer;
    layer.kind = LayerKind::kFullyConnected;
    layer.input = input;
    layer.channels = out;
    layer.weight = parameter(static_cast<size_t>(in) * out, 1.0f / std::sqrt(static_cast<float>(in)));
    layer.bias = parameter(out, 0.1f);
    return add(layer);
  }
  int unary(LayerKind kind, int input) { return join(kind, input, -1); }
  int relu(int input) { return unary(LayerKind::kRelu, input); }
  int join(LayerKind kind, int a, int b) {
    Layer layer;
    layer.kind = kind;
    layer.input = a;
    layer.input2 = b;
    return add(layer);
  }
  int shuffle(int input, int groups) {
    Layer layer;
    layer.kind = LayerKind::kShuffle;
    layer.input = input;
    layer.groups = groups;
    return add(layer);
  }
  int window(LayerKind kind, int input, Padding padding) {
    Layer layer;
    layer.kind = kind;
    layer.input = input;
    layer.kernel = 3;
    layer.stride = 2;
    layer.padding = padding;
    layer.count_padding = random_.between(0, 1);
    return add(layer);
  }
  int excite(int input, int channels) {
    const int squeezed = unary(LayerKind::kGlobalAvgPool, input), hidden = random_.between(1, 6);
    const int factor = fully_connected(relu(fully_connected(squeezed, channels, hidden)), hidden, channels);
    return join(LayerKind::kScale, input, unary(LayerKind::kSigmoid, factor));
  }

  Random& random_;
  std::deque<std::vector<float>> storage_;
};

inline std::vector<float> random_values(size_t size, Random& random) {
  std::vector<float> values(size);
  for (float& v : values) v = random.value();
  return values;
}

// All images on the calling thread; returns the first output.
inline std::vector<float> run(Model& model, const std::vector<float>& input, int n, int height, int width) {
  std::vector<float> logits(static_cast<size_t>(n) * model.output_channels());
  std::vector<Model::Output> outputs(model.outputs(), {nullptr, 0});
  outputs[0] = {logits.data(), logits.size()};
  std::atomic<int> next{0};
  model.run(input.data(), n, height, width, false, outputs, next, Cancellation());
  return logits;
}

}  // namespace sn::test
