#include "plan/plan.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "graph/shapes.h"

namespace sn {
namespace {

// Scratch rows of a convolution stay well inside L1, beside the weights.
constexpr int kScratchFloats = 8192;

// Channels that change layout together: a cache line of a pixel.
constexpr int kTransposeChannels = 16;

int ceil_div(ptrdiff_t a, ptrdiff_t b) { return static_cast<int>((a + b - 1) / b); }

std::string size_of(const Placement& p) { return std::to_string(p.height) + "x" + std::to_string(p.width); }

// One over the number of cells that an average pool counts, for each position along one axis.
std::vector<float> average_scale(int size, const Window& window, int kernel, int stride, bool count_padding) {
  std::vector<float> scale(window.output);
  for (int i = 0; i < window.output; i++) {
    const int begin = i * stride - window.begin;
    const int cells = count_padding ? std::min(begin + kernel, size + window.end) - begin
                                    : std::min(begin + kernel, size) - std::max(begin, 0);
    scale[i] = cells > 0 ? 1.0f / static_cast<float>(cells) : 0.0f;
  }
  return scale;
}

}  // namespace

Plan::Plan(const FusedGraph& graph, const Kernels& kernels, PackedWeights& weights, int height, int width, int threads,
           const BandLimits& limits)
    : graph_(graph), kernels_(kernels), threads_(threads), limits_(limits), placements_(graph.tensors.size()) {
  infer_shapes(height, width);
  choose_layouts();
  find_outputs();
  steps_.resize(graph_.ops.size());
  for (size_t i = 0; i < steps_.size(); i++) prepare(static_cast<int>(i));
  schedule();
  set_strides();
  for (size_t i = 0; i < steps_.size(); i++) resolve(static_cast<int>(i), weights);
  place();
}

void Plan::find_outputs() {
  for (const int output : graph_.outputs) {
    int ready = 0;
    for (size_t i = 0; i < graph_.ops.size(); i++) {
      if (graph_.values[graph_.ops[i].output].tensor == graph_.values[output].tensor) ready = static_cast<int>(i);
    }
    ready_.push_back(ready);
  }
}

void Plan::infer_shapes(int height, int width) {
  std::vector<bool> known(graph_.tensors.size());
  const auto set = [&](const Op& op, int h, int w) {
    const int tensor = graph_.values[op.output].tensor;
    Placement& p = placements_[tensor];
    if (known[tensor] && (p.height != h || p.width != w)) {
      throw Error(ErrorCode::kInput, "with this input size '" + op.name + "' gives " + std::to_string(h) + "x" +
                                         std::to_string(w) + ", to be joined with " + size_of(p));
    }
    p.height = h;
    p.width = w;
    known[tensor] = true;
  };
  placements_[graph_.values[graph_.input].tensor].height = height;
  placements_[graph_.values[graph_.input].tensor].width = width;
  for (const Op& op : graph_.ops) {
    const Placement in = placement(op.input);
    if (op.kind == OpKind::kGlobalPool) {
      set(op, 1, 1);
      continue;
    }
    if ((op.kind == OpKind::kFullyConnected || op.kind == OpKind::kSigmoid) && in.pixels() != 1) {
      throw Error(ErrorCode::kGraph, "'" + op.name + "' wants a 1x1 plane, its input is " + size_of(in));
    }
    const Window y = window_of(in.height, op.kernel, op.stride, op.padding);
    const Window x = window_of(in.width, op.kernel, op.stride, op.padding);
    if (y.output < 1 || x.output < 1) {
      throw Error(ErrorCode::kInput, "input " + std::to_string(height) + "x" + std::to_string(width) +
                                         " is too small: nothing is left at '" + op.name + "'");
    }
    if (op.padding.reflect && std::min(in.height, in.width) <= std::max(y.begin, y.end)) {
      throw Error(ErrorCode::kInput, "'" + op.name + "' has nothing to reflect on planes of " + size_of(in));
    }
    set(op, y.output, x.output);
    if (op.residual >= 0) {
      const Placement& residual = placement(op.residual);
      if (residual.height != y.output || residual.width != x.output) {
        throw Error(ErrorCode::kInput, "'" + op.name + "' adds " + std::to_string(y.output) + "x" +
                                           std::to_string(x.output) + " and " + size_of(residual));
      }
    }
    if (op.factor >= 0 && placement(op.factor).pixels() != 1) {
      throw Error(ErrorCode::kGraph, "'" + op.name + "' wants factors of a 1x1 plane");
    }
  }
}

void Plan::set_strides() {
  const size_t input = graph_.values[graph_.input].tensor;
  for (size_t t = 0; t < placements_.size(); t++) {
    Placement& p = placements_[t];
    if (p.layout == Layout::kChannels) {
      p.channel_stride = 1;
      p.pixel_stride = graph_.tensors[t].channels;
    } else {
      p.pixel_stride = 1;
      // Whole cache lines, which are whole vectors of every instruction set; and an odd number of them, so that the same
      // pixel of successive planes does not fall into the same cache set.
      const ptrdiff_t line = static_cast<ptrdiff_t>(kCacheLine / element_size(graph_.tensors[t], kernels_));
      p.channel_stride = ((p.window > 0 ? p.window : p.pixels()) + line - 1) / line * line;
      if (p.channel_stride / line % 2 == 0) p.channel_stride += line;
      if (t == input && !converts_input()) p.channel_stride = p.pixels();
    }
    if (p.channel_stride * graph_.tensors[t].channels > std::numeric_limits<int32_t>::max()) {
      throw Error(ErrorCode::kInput, "the input is too large for this network");
    }
  }
}

std::vector<int32_t> Plan::offsets(int value) const {
  const Value& v = graph_.values[value];
  std::vector<int32_t> result(v.channels);
  for (int c = 0; c < v.channels; c++) result[c] = static_cast<int32_t>(v.at(c) * placement(value).channel_stride);
  return result;
}

// What does not depend on strides.
void Plan::prepare(int index) {
  const Op& op = graph_.ops[index];
  Step& step = steps_[index];
  const Placement& in = placement(op.input);
  const Placement& out = placement(op.output);
  const int lanes = tiles(op).lanes;
  step.op = &op;
  step.form = out.layout;
  const Window y = window_of(in.height, op.kernel, op.stride, op.padding);
  const Window x = window_of(in.width, op.kernel, op.stride, op.padding);
  step.pad_y = y.begin;
  step.pad_x = x.begin;
  // A one-pixel output is both layouts; rows of planes make it where the input is planes.
  const bool windows = op.kind == OpKind::kDepthwise || op.kind == OpKind::kPool;
  if (windows && in.pixels() > 1) step.form = in.layout;
  if (op.kind == OpKind::kDepthwise && !whole(op.input)) step.form = Layout::kPlanes;
  if (op.kind == OpKind::kConv) step.form = Layout::kPlanes;
  if (op.kind == OpKind::kGlobalPool) step.form = whole(op.input) ? in.layout : Layout::kPlanes;

  if (op.kind == OpKind::kPointwise || op.kind == OpKind::kFullyConnected) {
    const int k = group_inputs(graph_, op), n = group_outputs(graph_, op);
    if (step.form == Layout::kPlanes) {
      step.group_weights = pwconv_planes_size(k, n);
    } else {
      step.group_weights = pwconv_channels_size(k, n, lanes);
      step.panels = Split(ceil_div(n, lanes), tiles(op).channels_nr).parts;
    }
  } else if (op.kind == OpKind::kConv) {
    const int k = group_inputs(graph_, op);
    step.group_weights = pwconv_planes_size(k * op.kernel * op.kernel, group_outputs(graph_, op));
    step.columns = rows_columns(in.width, step.pad_x, op.kernel, op.stride, out.width, lanes);
    // As many rows as fit, but at least two.
    const int pitch = op.stride * step.columns, fit = std::max(kScratchFloats / (k * pitch), op.stride + op.kernel);
    step.band = std::min(out.height, (fit - op.kernel) / op.stride + 1);
    const int rows = (step.band - 1) * op.stride + op.kernel;
    for (int c = 0; c < k; c++) {
      for (int ky = 0; ky < op.kernel; ky++) {
        for (int kx = 0; kx < op.kernel; kx++) {
          step.tap_offsets.push_back((c * rows + ky) * pitch + kx % op.stride * step.columns + kx / op.stride);
        }
      }
    }
    scratch_floats_ = std::max(scratch_floats_, static_cast<size_t>(k) * rows * pitch);
  } else if (op.kind == OpKind::kPool) {
    if (op.average) {
      step.row_scale = average_scale(in.height, y, op.kernel, op.stride, op.count_padding);
      step.column_scale = average_scale(in.width, x, op.kernel, op.stride, op.count_padding);
#ifdef SN_HALF
      if (half(op.input)) {
        for (std::vector<float>* scale : {&step.row_scale, &step.column_scale}) {
          to_halves(scale->data(), static_cast<ptrdiff_t>(scale->size()), reinterpret_cast<Half*>(scale->data()));
        }
      }
#endif
    }
    if (step.form == Layout::kPlanes && out.layout == Layout::kChannels) {
      step.tile = kTransposeChannels;
      step.band = std::clamp(kScratchFloats / (step.tile * out.width), 1, out.height);
      scratch_floats_ = std::max(scratch_floats_, static_cast<size_t>(step.tile) * step.band * out.width);
    }
  }
}

void Plan::resolve(int index, PackedWeights& weights) {
  const Op& op = graph_.ops[index];
  Step& step = steps_[index];
  if (!op.weights.empty()) step.weights = weights.get(index, step.form);
  step.input_offsets = offsets(op.input);
  if ((op.kind == OpKind::kPointwise || op.kind == OpKind::kFullyConnected) && step.form == Layout::kChannels) {
    // In the order in which they lie: after a shuffle a group's inputs are a few runs of neighbours.
    for (auto group = step.input_offsets.begin(); group != step.input_offsets.end();) {
      const auto end = group + group_inputs(graph_, op);
      std::sort(group, end);
      group = end;
    }
  }
  if (op.kind == OpKind::kSum && op.residual >= 0) step.residual_offsets = offsets(op.residual);
}

size_t Plan::output_size(size_t i) const {
  return static_cast<size_t>(graph_.values[graph_.outputs[i]].channels) * placement(graph_.outputs[i]).pixels();
}

}  // namespace sn
