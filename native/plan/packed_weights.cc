#include <algorithm>
#include <numeric>

#include "plan/plan.h"

namespace sn {

int group_inputs(const FusedGraph& graph, const Op& op) { return graph.values[op.input].channels / op.groups; }
int group_outputs(const FusedGraph& graph, const Op& op) { return graph.values[op.output].channels / op.groups; }

namespace {

#ifdef SN_HALF
AlignedBuffer halved(const AlignedBuffer& floats) {
  AlignedBuffer halves((floats.size() + 1) / 2, false);
  to_halves(floats.data(), static_cast<ptrdiff_t>(floats.size()), reinterpret_cast<Half*>(halves.data()));
  return halves;
}
#endif

}  // namespace

// Of floats, in the order in which the kernels read them.
AlignedBuffer PackedWeights::pack(const Op& op, Layout form) const {
  const int channels = graph_.values[op.output].channels;
  if (op.kind == OpKind::kDepthwise) {
    AlignedBuffer packed(static_cast<size_t>(10) * channels, false);
    const auto pack = form == Layout::kPlanes ? pack_dwconv_planes : pack_dwconv_channels;
    pack(op.weights.data(), op.bias.data(), channels, packed.data());
    return packed;
  }
  const PwconvTiles& kernels = tiles(graph_, kernels_, op.input);
  const int k = group_inputs(graph_, op) * op.kernel * op.kernel, n = group_outputs(graph_, op);
  const size_t size = form == Layout::kPlanes ? pwconv_planes_size(k, n) : pwconv_channels_size(k, n, kernels.lanes);
  AlignedBuffer packed(size * op.groups, false);
  std::vector<int> order(k);
  std::vector<float> ordered(form == Layout::kChannels ? static_cast<size_t>(n) * k : 0);
  for (int g = 0; g < op.groups; g++) {
    const float* weights = op.weights.data() + static_cast<size_t>(g) * n * k;
    if (form == Layout::kChannels) {
      // In the order of the step's input offsets.
      const Value& input = graph_.values[op.input];
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(), [&](int a, int b) { return input.at(g * k + a) < input.at(g * k + b); });
      for (size_t i = 0; i < ordered.size(); i++) ordered[i] = weights[i / k * k + order[i % k]];
      weights = ordered.data();
    }
    const float* bias = op.bias.data() + static_cast<size_t>(g) * n;
    if (form == Layout::kPlanes) {
      pack_pwconv_planes(weights, bias, k, n, kernels.planes_mr, kernels.planes_unit, packed.data() + g * size);
    } else {
      pack_pwconv_channels(weights, bias, k, n, kernels.lanes, kernels.channels_nr, packed.data() + g * size);
    }
  }
  return packed;
}

const void* PackedWeights::get(int op, Layout form) {
  const std::lock_guard<std::mutex> lock(mutex_);
  AlignedBuffer& buffer = packed_[{op, form}];
  if (buffer.size() == 0) {
    buffer = pack(graph_.ops[op], form);
#ifdef SN_HALF
    if (half(graph_, kernels_, graph_.ops[op].input)) buffer = halved(buffer);
#endif
  }
  return buffer.data();
}

size_t PackedWeights::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  size_t floats = 0;
  for (const auto& [key, buffer] : packed_) floats += buffer.size();
  return floats * sizeof(float);
}

}  // namespace sn
