#include "plan/plan.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "graph/shapes.h"

namespace sn {
namespace {

// Scratch rows of one piece stay well inside L1, beside the weights.
constexpr int kScratchFloats = 4096;

// Pixels of one piece of a pointwise convolution: a fraction of a millisecond, after which a run can be cancelled.
constexpr int kBlockPixels = 8192;

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

Plan::Plan(const FusedGraph& graph, const Kernels& kernels, PackedWeights& weights, int height, int width, int threads)
    : graph_(graph), kernels_(kernels), threads_(threads), placements_(graph.tensors.size()) {
  infer_shapes(height, width);
  choose_layouts();
  set_strides();
  steps_.resize(graph_.ops.size());
  for (size_t i = 0; i < steps_.size(); i++) prepare(static_cast<int>(i), weights);
  find_outputs();
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
      p.channel_stride = t == input ? p.pixels() : (p.pixels() + 15) / 16 * 16;
      if (t != input && p.channel_stride / 16 % 2 == 0) p.channel_stride += 16;
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

// Scratch for bands of output rows: as many rows as fit the limit, but at least two.
void Plan::prepare_window(const Op& op, Step& step, int planes) {
  const Placement& in = placement(op.input);
  const Placement& out = placement(op.output);
  step.columns = rows_columns(in.width, step.pad_x, op.kernel, op.stride, out.width, kernels_.pwconv.lanes);
  const ptrdiff_t row = static_cast<ptrdiff_t>(planes) * op.stride * step.columns;
  const int rows = static_cast<int>(std::max<ptrdiff_t>(kScratchFloats / row, op.stride + op.kernel));
  // Even, for the depthwise kernel makes two rows at once.
  step.band = std::min(out.height, std::max((rows - op.kernel) / op.stride + 1, 2) / 2 * 2);
  step.window_floats = static_cast<size_t>(row) * ((step.band - 1) * op.stride + op.kernel);
  const size_t outputs = step.tile > 1 ? static_cast<size_t>(step.tile) * step.band * out.width : 0;
  scratch_floats_ = std::max(scratch_floats_, step.window_floats + outputs);
}

void Plan::prepare(int index, PackedWeights& weights) {
  const Op& op = graph_.ops[index];
  Step& step = steps_[index];
  const Placement& in = placement(op.input);
  const Placement& out = placement(op.output);
  const int channels = graph_.values[op.output].channels;
  const int lanes = kernels_.pwconv.lanes;
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

  switch (op.kind) {
    case OpKind::kPointwise:
    case OpKind::kFullyConnected: {
      const int k = group_inputs(graph_, op), n = group_outputs(graph_, op);
      step.input_offsets = offsets(op.input);
      step.weights = weights.get(index, step.form);
      if (step.form == Layout::kPlanes) {
        step.group_weights = pwconv_planes_size(k, n);
        const ptrdiff_t tile = kernels_.pwconv.planes_nr * lanes;
        const int tiles = ceil_div(out.pixels(), tile);
        const int most = threads_ == 1 ? tiles : ceil_div(tiles, std::min(tiles, 4 * threads_));
        step.block = tile * std::min<ptrdiff_t>(most, kBlockPixels / tile);
      } else {
        step.group_weights = pwconv_channels_size(k, n, lanes);
        step.panels = Split(ceil_div(n, lanes), kernels_.pwconv.channels_nr).parts;
        const int wanted = threads_ == 1 ? 1 : ceil_div(4 * threads_, op.groups * step.panels);
        // The kernel sums single pixels in another order. It makes one of the last pixel where tiles are of two; even
        // blocks that leave more than one pixel over make no others.
        step.block = std::clamp<ptrdiff_t>(ceil_div(out.pixels(), wanted), 8, kBlockPixels);
        step.block += step.block % 2;
        while (step.block < out.pixels() && out.pixels() % step.block == 1) step.block += 2;
      }
      step.blocks = ceil_div(out.pixels(), step.block);
      step.units = op.groups * step.panels * step.blocks;
      break;
    }
    case OpKind::kConv: {
      const int k = group_inputs(graph_, op), taps = op.kernel * op.kernel;
      step.input_offsets = offsets(op.input);
      step.weights = weights.get(index, Layout::kPlanes);
      step.group_weights = pwconv_planes_size(k * taps, group_outputs(graph_, op));
      prepare_window(op, step, k);
      const int row = op.stride * step.columns, rows = (step.band - 1) * op.stride + op.kernel;
      for (int c = 0; c < k; c++) {
        for (int ky = 0; ky < op.kernel; ky++) {
          for (int kx = 0; kx < op.kernel; kx++) {
            step.tap_offsets.push_back((c * rows + ky) * row + kx % op.stride * step.columns + kx / op.stride);
          }
        }
      }
      step.blocks = ceil_div(out.height, step.band);
      step.units = op.groups * step.blocks;
      break;
    }
    case OpKind::kDepthwise:
      step.weights = weights.get(index, step.form);
      if (step.form == Layout::kPlanes) {
        prepare_window(op, step, 1);
        step.blocks = ceil_div(out.height, step.band);
        step.units = channels * step.blocks;
      } else {
        step.units = out.height;
      }
      break;
    case OpKind::kPool:
      if (op.average) {
        step.row_scale = average_scale(in.height, y, op.kernel, op.stride, op.count_padding);
        step.column_scale = average_scale(in.width, x, op.kernel, op.stride, op.count_padding);
      }
      if (step.form == Layout::kPlanes) {
        step.tile = out.pixel_stride == 1 ? 1 : kTransposeChannels;
        prepare_window(op, step, 1);
        step.blocks = ceil_div(out.height, step.band);
        step.units = ceil_div(channels, step.tile) * step.blocks;
      } else {
        step.units = out.height;
      }
      break;
    case OpKind::kGlobalPool:
      step.form = whole(op.input) ? in.layout : Layout::kPlanes;
      step.units = step.form == Layout::kPlanes ? channels : ceil_div(channels, 4 * lanes);
      break;
    case OpKind::kScale: step.units = step.form == Layout::kPlanes ? channels : static_cast<int>(out.pixels()); break;
    case OpKind::kSigmoid: break;
    case OpKind::kSum:
      step.input_offsets = offsets(op.input);
      if (op.residual >= 0) step.residual_offsets = offsets(op.residual);
      step.units = channels;
      break;
  }
}

size_t Plan::output_size(size_t i) const {
  return static_cast<size_t>(graph_.values[graph_.outputs[i]].channels) * placement(graph_.outputs[i]).pixels();
}

}  // namespace sn
