#include "graph/fuse.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace sn {
namespace {

class Fuser {
 public:
  explicit Fuser(const Graph& graph) : graph_(graph) {}

  FusedGraph run() {
    count_uses();
    for (layer_ = 0; layer_ < static_cast<int>(graph_.layers.size()); layer_++) {
      value_of_.push_back(lower(graph_.layers[layer_]));
    }
    for (const int output : graph_.outputs) result_.outputs.push_back(value_of_[output]);
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kGraph,
                "layer " + std::to_string(layer_) + " '" + graph_.layers[layer_].name + "': " + what);
  }

  void count_uses() {
    uses_.assign(graph_.layers.size(), 0);
    const int size = static_cast<int>(graph_.layers.size());
    for (layer_ = 0; layer_ < size; layer_++) {
      const Layer& layer = graph_.layers[layer_];
      const bool two =
          layer.kind == LayerKind::kAdd || layer.kind == LayerKind::kConcat || layer.kind == LayerKind::kScale;
      if ((layer.kind == LayerKind::kInput) != (layer_ == 0)) fail("the first layer, and no other, must be the input");
      if (layer_ > 0 && (layer.input < 0 || layer.input >= layer_)) fail("input is not an earlier layer");
      if (two && (layer.input2 < 0 || layer.input2 >= layer_)) fail("second input is not an earlier layer");
      if (layer_ > 0) uses_[layer.input]++;
      if (two) uses_[layer.input2]++;
    }
    if (graph_.outputs.empty()) throw Error(ErrorCode::kGraph, "the graph has no output");
    for (const int output : graph_.outputs) {
      if (output < 0 || output >= size) throw Error(ErrorCode::kGraph, "an output is not a layer");
      uses_[output]++;
    }
  }

  bool only_use(int layer) const { return uses_[layer] == 1; }
  Value& value(int id) { return result_.values[id]; }
  Op* producer(int id) { return producer_[id] < 0 ? nullptr : &result_.ops[producer_[id]]; }

  int new_value(int tensor, int first, int channels, std::vector<int> map, int op) {
    result_.values.push_back({tensor, first, channels, std::move(map)});
    producer_.push_back(op);
    parts_.push_back({-1, -1});
    return static_cast<int>(result_.values.size()) - 1;
  }

  // Gives op a tensor and a value of its own.
  int emit(Op op, int channels, std::vector<int> map = {}) {
    result_.tensors.push_back({channels});
    op.name = graph_.layers[layer_].name;
    op.output = new_value(static_cast<int>(result_.tensors.size()) - 1, 0, channels, std::move(map),
                          static_cast<int>(result_.ops.size()));
    result_.ops.push_back(std::move(op));
    return result_.ops.back().output;
  }

  int lower(const Layer& layer) {
    const Padding& padding = layer.padding;
    if (padding.reflect && (layer.kind != LayerKind::kAvgPool || layer.kernel != 3 || padding.same || padding.ceil ||
                            !layer.count_padding || std::max(padding.begin, padding.end) > 1)) {
      fail("only 3x3 average pools that count their padding, of at most one cell, can reflect");
    }
    switch (layer.kind) {
      case LayerKind::kInput:
        if (layer.channels < 1) fail("needs channels");
        result_.tensors.push_back({layer.channels});
        return result_.input = new_value(0, 0, layer.channels, {}, -1);
      case LayerKind::kConv: return conv(layer);
      case LayerKind::kBatchNorm: return batch_norm(layer);
      case LayerKind::kRelu: return relu(layer);
      case LayerKind::kShuffle: return shuffle(layer);
      case LayerKind::kAdd: return add(layer);
      case LayerKind::kConcat: return concat(layer);
      case LayerKind::kScale: return scale(layer);
      case LayerKind::kFullyConnected: return fully_connected(layer);
      case LayerKind::kSigmoid: return channelwise(layer, OpKind::kSigmoid);
      case LayerKind::kMaxPool:
      case LayerKind::kAvgPool: return channelwise(layer, OpKind::kPool);
      case LayerKind::kGlobalAvgPool:
      case LayerKind::kGlobalMaxPool: return channelwise(layer, OpKind::kGlobalPool);
    }
    fail("unknown kind");
  }

  std::vector<float> read(const Parameter& parameter, size_t size) const {
    if (parameter.size != size || !parameter.data) {
      throw Error(ErrorCode::kTensor, "tensor '" + parameter.name + "' has " + std::to_string(parameter.size) +
                                          " values, layer '" + graph_.layers[layer_].name + "' needs " +
                                          std::to_string(size));
    }
    return values_of(parameter);
  }

  void load_parameters(const Layer& layer, size_t per_channel, Op& op) const {
    op.weights = read(layer.weight, per_channel * layer.channels);
    op.bias = layer.bias.data ? read(layer.bias, layer.channels) : std::vector<float>(layer.channels, 0.0f);
  }

  // Rows of per-channel parameters, moved from logical order to the order of the value's channels in its tensor.
  static std::vector<float> to_tensor_order(const std::vector<float>& rows, const Value& v) {
    if (v.map.empty()) return rows;
    const size_t width = rows.size() / v.channels;
    std::vector<float> moved(rows.size());
    for (int c = 0; c < v.channels; c++) {
      std::copy_n(rows.begin() + c * width, width, moved.begin() + v.map[c] * width);
    }
    return moved;
  }

  int conv(const Layer& layer) {
    const int input = value_of_[layer.input], channels = value(input).channels;
    if (layer.kernel < 1 || layer.stride < 1 || layer.groups < 1 || layer.channels < 1) fail("sizes must be positive");
    if (layer.padding.begin < 0 || layer.padding.end < 0) fail("padding must not be negative");
    if (channels % layer.groups || layer.channels % layer.groups) {
      fail(std::to_string(layer.groups) + " groups do not divide " + std::to_string(channels) + " input and " +
           std::to_string(layer.channels) + " output channels");
    }
    Op op;
    op.input = input;
    op.kernel = layer.kernel;
    op.stride = layer.stride;
    op.groups = layer.groups;
    op.padding = layer.padding;
    load_parameters(layer, static_cast<size_t>(channels / layer.groups) * layer.kernel * layer.kernel, op);
    const bool padded = layer.padding.begin || layer.padding.end;
    // The planes form of pointwise kernels reads planes in whole vectors, which the caller's input does not promise.
    if (layer.kernel == 1 && layer.stride == 1 && !padded && value(input).tensor != value(result_.input).tensor) {
      op.kind = OpKind::kPointwise;
      return emit(std::move(op), layer.channels);
    }
    if (layer.kernel == 3 && layer.stride <= 2 && layer.groups == channels && layer.channels == channels) {
      op.kind = OpKind::kDepthwise;
      op.weights = to_tensor_order(op.weights, value(input));
      op.bias = to_tensor_order(op.bias, value(input));
      return emit(std::move(op), channels, std::vector<int>(value(input).map));
    }
    op.kind = OpKind::kConv;
    return emit(std::move(op), layer.channels);
  }

  int fully_connected(const Layer& layer) {
    if (layer.channels < 1) fail("sizes must be positive");
    Op op;
    op.kind = OpKind::kFullyConnected;
    op.input = value_of_[layer.input];
    load_parameters(layer, value(op.input).channels, op);
    return emit(std::move(op), layer.channels);
  }

  int batch_norm(const Layer& layer) {
    const int id = value_of_[layer.input];
    const int channels = value(id).channels;
    const std::vector<float> mean = read(layer.mean, channels), variance = read(layer.variance, channels);
    const std::vector<float> gamma =
        layer.gamma.data ? read(layer.gamma, channels) : std::vector<float>(channels, 1.0f);
    const std::vector<float> beta = layer.beta.data ? read(layer.beta, channels) : std::vector<float>(channels, 0.0f);
    for (int c = 0; c < channels; c++) {
      if (variance[c] > 0) continue;
      throw Error(ErrorCode::kValue, "tensor '" + layer.variance.name + "' holds " + std::to_string(variance[c]) +
                                         " at index " + std::to_string(c) + "; variances must be positive");
    }
    Op* op = producer(id);
    const bool folds = op && only_use(layer.input) && !op->relu && op->residual < 0 && !op->bias.empty();
    int result = id;
    if (!folds) {
      // As a 1x1 convolution of every channel by itself.
      Op identity;
      identity.kind = OpKind::kConv;
      identity.input = id;
      identity.groups = channels;
      identity.weights.assign(channels, 1.0f);
      identity.bias.assign(channels, 0.0f);
      result = emit(std::move(identity), channels);
      op = producer(result);
    }
    const size_t width = op->weights.size() / channels;
    for (int c = 0; c < channels; c++) {
      const int row = value(result).map.empty() ? c : value(result).map[c];
      const double factor = gamma[c] / std::sqrt(static_cast<double>(variance[c]) + layer.epsilon);
      for (size_t i = 0; i < width; i++) {
        float& w = op->weights[row * width + i];
        w = static_cast<float>(w * factor);
      }
      op->bias[row] = static_cast<float>((static_cast<double>(op->bias[row]) - mean[c]) * factor + beta[c]);
    }
    return result;
  }

  // A copy that may add, apply ReLU, and puts the channels in order.
  int sum(int a, int b, bool relu) {
    Op op;
    op.kind = OpKind::kSum;
    op.input = a;
    op.residual = b;
    op.relu = relu;
    return emit(std::move(op), value(a).channels);
  }

  static bool takes_relu(const Op& op) { return op.kind != OpKind::kGlobalPool && op.kind != OpKind::kSigmoid; }

  int relu(const Layer& layer) {
    const int id = value_of_[layer.input];
    const auto [first, second] = parts_[id];
    const bool only = only_use(layer.input);
    const auto absorbs = [&](int v, bool alone) {
      const Op* op = producer(v);
      return op && takes_relu(*op) && (op->relu || alone);
    };
    if (first >= 0) {  // a concatenation: ReLU of its parts
      const auto [use1, use2] = part_layers_[id];
      if (!absorbs(first, only && only_use(use1)) || !absorbs(second, only && only_use(use2))) return sum(id, -1, true);
      producer(first)->relu = producer(second)->relu = true;
      return id;
    }
    if (!absorbs(id, only)) return sum(id, -1, true);
    producer(id)->relu = true;
    return id;
  }

  int shuffle(const Layer& layer) {
    const Value in = value(value_of_[layer.input]);
    if (layer.groups < 1 || in.channels % layer.groups) {
      fail(std::to_string(layer.groups) + " groups do not divide " + std::to_string(in.channels) + " channels");
    }
    const int width = in.channels / layer.groups;
    std::vector<int> map(in.channels);
    for (int i = 0; i < layer.groups; i++) {
      for (int j = 0; j < width; j++) map[j * layer.groups + i] = in.at(i * width + j) - in.first;
    }
    return new_value(in.tensor, in.first, in.channels, std::move(map), -1);
  }

  int add(const Layer& layer) {
    const int a = value_of_[layer.input], b = value_of_[layer.input2];
    if (value(a).channels != value(b).channels) fail("adds values of different channels");
    const auto absorb = [&](int into, int into_layer, int other) {
      Op* op = producer(into);
      const bool able = op && (op->kind == OpKind::kPointwise || op->kind == OpKind::kScale) && !op->relu &&
                        op->residual < 0 && only_use(into_layer) && value(into).map.empty() &&
                        value(other).map.empty() && ready_before(other, producer_[into]);
      if (able) op->residual = other;
      return able;
    };
    if (absorb(b, layer.input2, a)) return b;
    if (absorb(a, layer.input, b)) return a;
    return sum(a, b, false);
  }

  // Whether the value is complete when operation `op` starts.
  bool ready_before(int id, int op) const {
    for (int i = op; i < static_cast<int>(result_.ops.size()); i++) {
      const Value& v = result_.values[result_.ops[i].output];
      if (v.tensor == result_.values[id].tensor) return false;
    }
    return true;
  }

  int concat(const Layer& layer) {
    int ids[2] = {value_of_[layer.input], value_of_[layer.input2]};
    for (int& id : ids) {
      // Storage can move only where one operation wrote all of it, and not where kernels want dense pixels.
      const Op* op = producer(id);
      if (!op || op->kind == OpKind::kDepthwise || op->kind == OpKind::kGlobalPool || op->kind == OpKind::kSigmoid ||
          value(id).channels != result_.tensors[value(id).tensor].channels || (id == ids[1] && ids[0] == ids[1])) {
        id = sum(id, -1, false);
      }
    }
    const int channels = value(ids[0]).channels + value(ids[1]).channels;
    result_.tensors.push_back({channels});
    const int tensor = static_cast<int>(result_.tensors.size()) - 1;
    std::vector<int> map;
    int first = 0;
    for (const int id : ids) {
      const int old = value(id).tensor;
      // Shuffled views of the part move with it.
      for (Value& v : result_.values) {
        if (v.tensor == old) {
          v.tensor = tensor;
          v.first += first;
        }
      }
      for (int c = 0; c < value(id).channels; c++) map.push_back(value(id).at(c));
      first += value(id).channels;
    }
    if (std::is_sorted(map.begin(), map.end())) map.clear();
    const int id = new_value(tensor, 0, channels, std::move(map), -1);
    parts_[id] = {ids[0], ids[1]};
    part_layers_.resize(result_.values.size(), {-1, -1});
    part_layers_[id] = {layer.input, layer.input2};
    return id;
  }

  int scale(const Layer& layer) {
    int input = value_of_[layer.input], factor = value_of_[layer.input2];
    if (value(input).channels != value(factor).channels) fail("scales by a value of different channels");
    if (value(input).map != value(factor).map) {
      if (!value(input).map.empty()) input = sum(input, -1, false);
      if (!value(factor).map.empty()) factor = sum(factor, -1, false);
    }
    Op op;
    op.kind = OpKind::kScale;
    op.input = input;
    op.factor = factor;
    return emit(std::move(op), value(input).channels, std::vector<int>(value(input).map));
  }

  int channelwise(const Layer& layer, OpKind kind) {
    if (kind == OpKind::kPool && (layer.kernel < 1 || layer.stride < 1)) fail("sizes must be positive");
    if (layer.padding.begin < 0 || layer.padding.end < 0 ||
        std::max(layer.padding.begin, layer.padding.end) >= std::max(layer.kernel, 1)) {
      fail("padding must be at least 0 and smaller than the kernel");
    }
    Op op;
    op.kind = kind;
    op.input = value_of_[layer.input];
    op.kernel = layer.kernel;
    op.stride = layer.stride;
    op.padding = layer.padding;
    op.average = layer.kind == LayerKind::kAvgPool || layer.kind == LayerKind::kGlobalAvgPool;
    op.count_padding = layer.count_padding;
    const Value in = value(op.input);
    return emit(std::move(op), in.channels, in.map);
  }

  const Graph& graph_;
  int layer_ = 0;
  FusedGraph result_;
  std::vector<int> uses_;                         // of each layer's value
  std::vector<int> value_of_;                     // layer -> value
  std::vector<int> producer_;                     // value -> operation that writes exactly it, or -1
  std::vector<std::pair<int, int>> parts_;        // value -> values of a concatenation, or -1
  std::vector<std::pair<int, int>> part_layers_;  // value -> their layers
};

}  // namespace

FusedGraph fuse(const Graph& graph) {
  FusedGraph fused = Fuser(graph).run();
  widen(fused);
  return fused;
}

}  // namespace sn
