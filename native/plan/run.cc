// One image through a plan. Every piece of a step is a number of units, which the threads of the pool take.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "plan/plan.h"

namespace sn {
namespace {

constexpr float kNoLimit = -std::numeric_limits<float>::infinity();

}  // namespace

struct Plan::Frame {
  const Plan& plan;
  const float* input;
  float* arena;
  const Cancellation& cancellation;
  const Piece* piece = nullptr;
  const Step* step = nullptr;

  // Where the window of a tensor begins.
  ptrdiff_t start(int value) const {
    return value == step->op->output     ? piece->output_start
           : value == step->op->input    ? piece->input_start
           : value == step->op->residual ? piece->residual_start
                                         : 0;
  }
  // As if all of its pixels were there.
  float* tensor(int value) const {
    if (plan.is_input(value)) return const_cast<float*>(input);
    return arena + plan.placement(value).offset - start(value);
  }
  // The value's first channel.
  float* data(int value) const {
    return tensor(value) + plan.graph_.values[value].first * plan.placement(value).channel_stride;
  }
  float* scratch(int thread) const { return arena + plan.arena_floats_ + thread * plan.scratch_floats_; }

  // The unit's rows or pixels.
  std::pair<ptrdiff_t, ptrdiff_t> range(int unit) const {
    const ptrdiff_t begin = piece->begin + unit % piece->blocks * piece->block;
    return {begin, std::min(begin + piece->block, piece->end)};
  }

  void slide(int channel) const;
  void pointwise(int unit) const;
  void conv(int unit, float* scratch) const;
  void depthwise(int unit) const;
  void pool(int unit, float* scratch) const;
  void global_pool(int unit) const;
  void scale(int unit) const;
  void sum(int channel) const;
  void copy(int value, float* output) const;
};

// The channels of the tensor, moved within its window.
void Plan::Frame::slide(int channel) const {
  float* plane = tensor(step->op->output) + channel * plan.placement(step->op->output).channel_stride;
  plane += piece->output_start;
  std::memmove(plane, plane + (piece->output_start - piece->slide_from), piece->kept * sizeof(float));
}

void Plan::Frame::pointwise(int unit) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const auto [begin, end] = range(unit);
  const int panel = unit / piece->blocks % step->panels, group = unit / (piece->blocks * step->panels);
  const int k = group_inputs(plan.graph_, op), n = group_outputs(plan.graph_, op);
  const ptrdiff_t first = static_cast<ptrdiff_t>(group) * n;
  const float* weights = step->weights + group * step->group_weights;
  const int32_t* offsets = step->input_offsets.data() + static_cast<ptrdiff_t>(group) * k;
  const Placement& other = op.residual >= 0 ? plan.placement(op.residual) : out;
  const float* residual = op.residual >= 0 ? data(op.residual) + first * other.channel_stride : nullptr;
  const float lower = op.relu ? 0.0f : kNoLimit;
  float* output = data(op.output) + first * out.channel_stride;
  if (step->form == Layout::kPlanes) {
    plan.kernels_.pwconv.planes({k, n, weights, tensor(op.input), offsets, output, out.channel_stride, residual,
                                 other.channel_stride, lower},
                                begin, end);
  } else {
    plan.kernels_.pwconv.channels({k, n, weights, tensor(op.input), offsets, in.pixel_stride, output, out.pixel_stride,
                                   residual, other.pixel_stride, lower},
                                  begin, end, panel, panel + 1);
  }
}

void Plan::Frame::conv(int unit, float* scratch) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const auto [first_row, end] = range(unit);
  const int group = unit / piece->blocks, rows = static_cast<int>(end - first_row);
  const int k = group_inputs(plan.graph_, op), n = group_outputs(plan.graph_, op);
  const int pitch = op.stride * step->columns, scratch_rows = (step->band - 1) * op.stride + op.kernel;
  for (int c = 0; c < k; c++) {
    const float* plane = tensor(op.input) + step->input_offsets[group * k + c];
    plan.kernels_.rows.fill({plane, in.height, in.width, step->pad_x, op.stride, step->columns, 0.0f},
                            static_cast<int>(first_row) * op.stride - step->pad_y, (rows - 1) * op.stride + op.kernel,
                            scratch + static_cast<ptrdiff_t>(c) * scratch_rows * pitch);
  }
  PwconvPlanes a = {k * op.kernel * op.kernel,
                    n,
                    step->weights + group * step->group_weights,
                    scratch,
                    step->tap_offsets.data(),
                    data(op.output) + group * n * out.channel_stride,
                    out.channel_stride,
                    nullptr,
                    0,
                    op.relu ? 0.0f : kNoLimit};
  a.output += static_cast<ptrdiff_t>(first_row) * out.width;
  for (int y = 0; y < rows; y++, a.input += static_cast<ptrdiff_t>(op.stride) * pitch, a.output += out.width) {
    plan.kernels_.pwconv.planes(a, 0, out.width);
  }
}

void Plan::Frame::depthwise(int unit) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const float lower = op.relu ? 0.0f : kNoLimit;
  const auto [begin, end] = range(unit);
  if (step->form == Layout::kChannels) {
    const int channels = plan.graph_.values[op.output].channels;
    plan.kernels_.dwconv.channels({data(op.input), in.height, in.width, channels, step->pad_y, step->pad_x, op.stride,
                                   step->weights, data(op.output), out.width, lower},
                                  static_cast<int>(begin), static_cast<int>(end), 0, channels);
    return;
  }
  const ptrdiff_t first = unit / piece->blocks * piece->channels;
  const ptrdiff_t last = std::min<ptrdiff_t>(first + piece->channels, plan.graph_.values[op.output].channels);
  plan.kernels_.dwconv.planes({data(op.input) + first * in.channel_stride, in.channel_stride,
                               static_cast<int>(last - first), in.height, in.width, step->pad_y, step->pad_x, op.stride,
                               step->weights + 10 * first, data(op.output) + first * out.channel_stride,
                               out.channel_stride, out.width, lower},
                              static_cast<int>(begin), static_cast<int>(end));
}

void Plan::Frame::pool(int unit, float* scratch) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const PoolWindow window = {
      op.average, op.kernel, op.stride, step->row_scale.data(), step->column_scale.data(), op.relu ? 0.0f : kNoLimit};
  const auto range_of = range(unit);
  const int begin = static_cast<int>(range_of.first), end = static_cast<int>(range_of.second);
  if (step->form == Layout::kChannels) {
    plan.kernels_.pool.channels({window, data(op.input), in.pixel_stride, in.height, in.width,
                                 plan.graph_.values[op.output].channels, step->pad_y, step->pad_x, data(op.output),
                                 out.pixel_stride, out.width},
                                begin, end);
    return;
  }
  const ptrdiff_t first = static_cast<ptrdiff_t>(begin) * out.width,
                  pixels = static_cast<ptrdiff_t>(end) * out.width - first;
  const int first_channel = unit / piece->blocks * piece->channels;
  const int last_channel = std::min(first_channel + piece->channels, plan.graph_.values[op.output].channels);
  float* const output = data(op.output) + first_channel * out.channel_stride;
  PoolPlanes a = {window,
                  data(op.input) + first_channel * in.channel_stride,
                  in.channel_stride,
                  last_channel - first_channel,
                  in.height,
                  in.width,
                  step->pad_y,
                  step->pad_x,
                  output,
                  out.channel_stride,
                  out.width};
  if (step->tile == 1) return plan.kernels_.pool.planes(a, begin, end);
  a.output = scratch - first;
  a.output_stride = pixels;
  plan.kernels_.pool.planes(a, begin, end);
  for (ptrdiff_t p = 0; p < pixels; p++) {
    float* const pixel = output + (first + p) * out.pixel_stride;
    for (int c = 0; c < a.channels; c++) pixel[c] = scratch[c * pixels + p];
  }
}

void Plan::Frame::global_pool(int unit) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const int channels = plan.graph_.values[op.input].channels;
  if (step->form == Layout::kPlanes) {
    data(op.output)[unit] =
        plan.kernels_.pool.global_plane(data(op.input) + unit * in.channel_stride, in.pixels(), op.average);
  } else {
    const int begin = unit * 4 * plan.kernels_.pwconv.lanes;
    plan.kernels_.pool.global_channels(data(op.input), in.pixels(), channels, op.average, begin,
                                       std::min(begin + 4 * plan.kernels_.pwconv.lanes, channels), data(op.output));
  }
}

void Plan::Frame::scale(int unit) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const bool planes = step->form == Layout::kPlanes;
  const auto at = [&](int value, const Placement& p) {
    return data(value) + unit * (planes ? p.channel_stride : p.pixel_stride);
  };
  const Scale a = {at(op.input, in), op.residual >= 0 ? at(op.residual, plan.placement(op.residual)) : nullptr,
                   at(op.output, out), op.relu ? 0.0f : kNoLimit};
  const float* factors = data(op.factor);
  if (planes) {
    plan.kernels_.elementwise.scale_plane(a, factors[unit], out.pixels());
  } else {
    plan.kernels_.elementwise.scale_pixel(a, factors, plan.graph_.values[op.output].channels);
  }
}

void Plan::Frame::sum(int channel) const {
  const Op& op = *step->op;
  const Placement& out = plan.placement(op.output);
  const StridedInput a = {tensor(op.input), step->input_offsets.data(), plan.placement(op.input).pixel_stride};
  StridedInput b = {nullptr, nullptr, 0};
  if (op.residual >= 0) {
    b = {tensor(op.residual), step->residual_offsets.data(), plan.placement(op.residual).pixel_stride};
  }
  strided_sum(a, b, out.pixels(), channel, channel + 1, data(op.output), out.channel_stride, out.pixel_stride,
              op.relu ? 0.0f : kNoLimit);
}

void Plan::slide_unit(void* frame, int, int unit) { static_cast<const Frame*>(frame)->slide(unit); }

void Plan::run_unit(void* context, int thread, int unit) {
  const Frame& frame = *static_cast<const Frame*>(context);
  const Op& op = *frame.step->op;
  if (frame.cancellation.cancelled()) return;
  switch (op.kind) {
    case OpKind::kPointwise:
    case OpKind::kFullyConnected: return frame.pointwise(unit);
    case OpKind::kConv: return frame.conv(unit, frame.scratch(thread));
    case OpKind::kDepthwise: return frame.depthwise(unit);
    case OpKind::kPool: return frame.pool(unit, frame.scratch(thread));
    case OpKind::kGlobalPool: return frame.global_pool(unit);
    case OpKind::kScale: return frame.scale(unit);
    case OpKind::kSum: return frame.sum(unit);
    case OpKind::kSigmoid:
      return sigmoid(frame.data(op.input), frame.plan.graph_.values[op.output].channels, frame.data(op.output));
  }
}

// Out of the arena, to dense NCHW.
void Plan::Frame::copy(int id, float* output) const {
  const Placement& from = plan.placement(id);
  const Value& value = plan.graph_.values[id];
  for (int c = 0; c < value.channels; c++) {
    const float* in = tensor(id) + value.at(c) * from.channel_stride;
    for (ptrdiff_t p = 0; p < from.pixels(); p++) *output++ = in[p * from.pixel_stride];
  }
}

bool Plan::run(const float* input, float* const* outputs, float* arena, ThreadPool& pool,
               const Cancellation& cancellation, StepObserver* observer) const {
  Frame frame = {*this, input, arena, cancellation};
  int last = -1;
  for (size_t i = 0; i < ready_.size(); i++) {
    if (outputs[i]) last = std::max(last, ready_[i]);
  }
  for (const Piece& piece : pieces_) {
    if (segments_[piece.step] > last) break;
    frame.piece = &piece;
    frame.step = &steps_[piece.step];
    if (piece.kept > 0 && piece.slide_from != piece.output_start) {
      pool.run(graph_.tensors[graph_.values[frame.step->op->output].tensor].channels, slide_unit, &frame);
    }
    pool.run(piece.units, run_unit, &frame);
    if (cancellation.cancelled()) return false;
    // At once: the tensor's memory may be another's after the next step. What is asked for ends its segment.
    for (size_t i = 0; i < ready_.size(); i++) {
      if (outputs[i] && ready_[i] == piece.step && piece.end == extent(piece.step)) {
        frame.copy(graph_.outputs[i], outputs[i]);
      }
    }
    if (observer) observer->piece_done(piece.step);
  }
  return true;
}

}  // namespace sn
