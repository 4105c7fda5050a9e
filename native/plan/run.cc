// One image through a plan. Every piece of a step is a number of units, which the threads of the pool take.
#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "kernels/pool/reflect.h"
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
  // As if all of its pixels were there. T is its element type, here and below that of the step's input.
  template <class T>
  T* tensor(int value) const {
    if constexpr (std::is_same_v<T, float>) {
      if (plan.is_input(value)) return const_cast<float*>(input);
    }
    return reinterpret_cast<T*>(arena + plan.placement(value).offset) - start(value);
  }
  // The value's first channel.
  template <class T>
  T* data(int value) const {
    return tensor<T>(value) + plan.graph_.values[value].first * plan.placement(value).channel_stride;
  }
  template <class T>
  T* scratch(int thread) const {
    return reinterpret_cast<T*>(arena + plan.arena_floats_ + thread * plan.scratch_floats_);
  }

  template <class T>
  const KernelSet<T>& kernels() const {
    return plan.kernels_.of<T>();
  }

  // The unit's rows or pixels; none where its region has fewer blocks than others.
  std::pair<ptrdiff_t, ptrdiff_t> range(int unit) const {
    const int region = unit / (piece->parts * piece->blocks);
    const ptrdiff_t begin = piece->region_begin(region) + unit % piece->blocks * piece->block;
    return {begin, std::min(begin + piece->block, piece->region_begin(region + 1))};
  }
  int part(int unit) const { return unit / piece->blocks % piece->parts; }

  template <class T>
  void run(int thread, int unit) const;
  template <class T>
  void slide(int channel) const;
  template <class T>
  void pointwise(int unit) const;
  template <class T>
  void conv(int unit, T* scratch) const;
  template <class T>
  void depthwise(int unit) const;
  template <class T>
  void pool(int unit, T* scratch) const;
  template <class T>
  void global_pool(int unit) const;
  template <class T>
  void scale(int unit) const;
  template <class T>
  void sum(int channel) const;
  template <class T>
  void activate() const;
  template <class T>
  void copy(int value, float* output) const;
};

// The channels of the tensor, moved within its window.
template <class T>
void Plan::Frame::slide(int channel) const {
  T* plane = tensor<T>(step->op->output) + channel * plan.placement(step->op->output).channel_stride;
  plane += piece->output_start;
  std::memmove(plane, plane + (piece->output_start - piece->slide_from), piece->kept * sizeof(T));
}

template <class T>
void Plan::Frame::pointwise(int unit) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const auto [begin, end] = range(unit);
  const int panel = part(unit) % step->panels, group = part(unit) / step->panels;
  const int k = group_inputs(plan.graph_, op), n = group_outputs(plan.graph_, op);
  const ptrdiff_t first = static_cast<ptrdiff_t>(group) * n;
  const T* weights = static_cast<const T*>(step->weights) + group * step->group_weights;
  const int32_t* offsets = step->input_offsets.data() + static_cast<ptrdiff_t>(group) * k;
  const Placement& other = op.residual >= 0 ? plan.placement(op.residual) : out;
  const T* residual = op.residual >= 0 ? data<T>(op.residual) + first * other.channel_stride : nullptr;
  const float lower = op.relu ? 0.0f : kNoLimit;
  T* output = data<T>(op.output) + first * out.channel_stride;
  if (step->form == Layout::kPlanes) {
    kernels<T>().pwconv.planes({k, n, weights, tensor<T>(op.input), offsets, output, out.channel_stride, residual,
                                other.channel_stride, lower},
                               begin, end);
  } else {
    kernels<T>().pwconv.channels({k, n, weights, tensor<T>(op.input), offsets, in.pixel_stride, output,
                                  out.pixel_stride, residual, other.pixel_stride, lower},
                                 begin, end, panel, panel + 1);
  }
}

template <class T>
void Plan::Frame::conv(int unit, T* scratch) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const auto [first_row, end] = range(unit);
  const int group = part(unit), rows = static_cast<int>(end - first_row);
  const int k = group_inputs(plan.graph_, op), n = group_outputs(plan.graph_, op);
  const int pitch = op.stride * step->columns, scratch_rows = (step->band - 1) * op.stride + op.kernel;
  for (int c = 0; c < k; c++) {
    const T* plane = tensor<T>(op.input) + step->input_offsets[group * k + c];
    kernels<T>().rows.fill({plane, in.height, in.width, step->pad_x, op.stride, step->columns, 0.0f},
                           static_cast<int>(first_row) * op.stride - step->pad_y, (rows - 1) * op.stride + op.kernel,
                           scratch + static_cast<ptrdiff_t>(c) * scratch_rows * pitch);
  }
  PwconvPlanesOf<T> a = {k * op.kernel * op.kernel,
                         n,
                         static_cast<const T*>(step->weights) + group * step->group_weights,
                         scratch,
                         step->tap_offsets.data(),
                         data<T>(op.output) + group * n * out.channel_stride,
                         out.channel_stride,
                         nullptr,
                         0,
                         op.relu ? 0.0f : kNoLimit};
  a.output += static_cast<ptrdiff_t>(first_row) * out.width;
  for (int y = 0; y < rows; y++, a.input += static_cast<ptrdiff_t>(op.stride) * pitch, a.output += out.width) {
    kernels<T>().pwconv.planes(a, 0, out.width);
  }
}

template <class T>
void Plan::Frame::depthwise(int unit) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const float lower = op.relu ? 0.0f : kNoLimit;
  const auto [begin, end] = range(unit);
  if (step->form == Layout::kChannels) {
    const int channels = plan.graph_.values[op.output].channels;
    kernels<T>().dwconv.channels({data<T>(op.input), in.height, in.width, channels, step->pad_y, step->pad_x, op.stride,
                                  static_cast<const T*>(step->weights), data<T>(op.output), out.width, lower},
                                 static_cast<int>(begin), static_cast<int>(end), 0, channels);
    return;
  }
  const ptrdiff_t first = static_cast<ptrdiff_t>(part(unit)) * piece->channels;
  const ptrdiff_t last = std::min<ptrdiff_t>(first + piece->channels, plan.graph_.values[op.output].channels);
  kernels<T>().dwconv.planes({data<T>(op.input) + first * in.channel_stride, in.channel_stride,
                              static_cast<int>(last - first), in.height, in.width, step->pad_y, step->pad_x, op.stride,
                              static_cast<const T*>(step->weights) + 10 * first,
                              data<T>(op.output) + first * out.channel_stride, out.channel_stride, out.width, lower},
                             static_cast<int>(begin), static_cast<int>(end));
}

template <class T>
void Plan::Frame::pool(int unit, T* scratch) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const PoolWindowOf<T> window = {op.average,
                                  op.kernel,
                                  op.stride,
                                  reinterpret_cast<const T*>(step->row_scale.data()),
                                  reinterpret_cast<const T*>(step->column_scale.data()),
                                  op.relu ? 0.0f : kNoLimit};
  const auto range_of = range(unit);
  const int begin = static_cast<int>(range_of.first), end = static_cast<int>(range_of.second);
  if (step->form == Layout::kChannels) {
    const PoolChannelsOf<T> a = {window,           data<T>(op.input), in.pixel_stride,
                                 in.height,        in.width,          plan.graph_.values[op.output].channels,
                                 step->pad_y,      step->pad_x,       data<T>(op.output),
                                 out.pixel_stride, out.width};
    kernels<T>().pool.channels(a, begin, end);
    if (op.padding.reflect) reflect_borders(a, begin, end);
    return;
  }
  const ptrdiff_t first = static_cast<ptrdiff_t>(begin) * out.width,
                  pixels = static_cast<ptrdiff_t>(end) * out.width - first;
  const int first_channel = part(unit) * piece->channels;
  const int last_channel = std::min(first_channel + piece->channels, plan.graph_.values[op.output].channels);
  T* const output = data<T>(op.output) + first_channel * out.channel_stride;
  PoolPlanesOf<T> a = {window,
                       data<T>(op.input) + first_channel * in.channel_stride,
                       in.channel_stride,
                       last_channel - first_channel,
                       in.height,
                       in.width,
                       step->pad_y,
                       step->pad_x,
                       output,
                       out.channel_stride,
                       out.width};
  if (step->tile > 1) {
    a.output = scratch - first;
    a.output_stride = pixels;
  }
  kernels<T>().pool.planes(a, begin, end);
  if (op.padding.reflect) reflect_borders(a, begin, end);
  if (step->tile == 1) return;
  for (ptrdiff_t p = 0; p < pixels; p++) {
    T* const pixel = output + (first + p) * out.pixel_stride;
    for (int c = 0; c < a.channels; c++) pixel[c] = scratch[c * pixels + p];
  }
}

template <class T>
void Plan::Frame::global_pool(int unit) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  constexpr int kMostChannels = 64;
  const int channels = plan.graph_.values[op.input].channels, size = 4 * kernels<T>().pwconv.lanes;
  const int begin = unit * size, end = std::min(begin + size, channels);
  float values[kMostChannels];
  if (step->form == Layout::kPlanes) {
    const T* const input = data<T>(op.input);
    for (int c = begin; c < end; c++) {
      values[c - begin] = kernels<T>().pool.global_plane(input + c * in.channel_stride, in.pixels(), op.average);
    }
  } else {
    kernels<T>().pool.global_channels(data<T>(op.input) + begin, in.pixels(), channels, op.average, 0, end - begin,
                                      values);
  }
  with_element(plan.half(op.output), [&](auto* element) {
    auto* const output = data<std::remove_pointer_t<decltype(element)>>(op.output) + begin;
    for (int c = 0; c < end - begin; c++) output[c] = values[c];
  });
}

template <class T>
void Plan::Frame::scale(int unit) const {
  const Op& op = *step->op;
  const Placement& in = plan.placement(op.input);
  const Placement& out = plan.placement(op.output);
  const bool planes = step->form == Layout::kPlanes;
  const auto at = [&](int value, const Placement& p) {
    return data<T>(value) + unit * (planes ? p.channel_stride : p.pixel_stride);
  };
  const ScaleOf<T> a = {at(op.input, in), op.residual >= 0 ? at(op.residual, plan.placement(op.residual)) : nullptr,
                        at(op.output, out), op.relu ? 0.0f : kNoLimit};
  const T* factors = data<T>(op.factor);
  if (planes) {
    kernels<T>().elementwise.scale_plane(a, factors[unit], out.pixels());
  } else {
    kernels<T>().elementwise.scale_pixel(a, factors, plan.graph_.values[op.output].channels);
  }
}

template <class T>
void Plan::Frame::sum(int channel) const {
  const Op& op = *step->op;
  const Placement& out = plan.placement(op.output);
  const StridedInput<T> a = {tensor<T>(op.input), step->input_offsets.data(), plan.placement(op.input).pixel_stride};
  StridedInput<T> b = {nullptr, nullptr, 0};
  if (op.residual >= 0) {
    b = {tensor<T>(op.residual), step->residual_offsets.data(), plan.placement(op.residual).pixel_stride};
  }
  strided_sum(a, b, out.pixels(), channel, channel + 1, data<T>(op.output), out.channel_stride, out.pixel_stride,
              op.relu ? 0.0f : kNoLimit);
}

template <class T>
void Plan::Frame::activate() const {
  const Op& op = *step->op;
  with_element(plan.half(op.output), [&](auto* element) {
    using Out = std::remove_pointer_t<decltype(element)>;
    sigmoid(data<T>(op.input), plan.graph_.values[op.output].channels, data<Out>(op.output));
  });
}

// Out of the arena, to dense NCHW.
template <class T>
void Plan::Frame::copy(int id, float* output) const {
  const Placement& from = plan.placement(id);
  const Value& value = plan.graph_.values[id];
  for (int c = 0; c < value.channels; c++) {
    const T* in = tensor<T>(id) + value.at(c) * from.channel_stride;
    for (ptrdiff_t p = 0; p < from.pixels(); p++) *output++ = in[p * from.pixel_stride];
  }
}

template <class T>
void Plan::Frame::run(int thread, int unit) const {
  switch (step->op->kind) {
    case OpKind::kPointwise:
    case OpKind::kFullyConnected: return pointwise<T>(unit);
    case OpKind::kConv: return conv(unit, scratch<T>(thread));
    case OpKind::kDepthwise: return depthwise<T>(unit);
    case OpKind::kPool: return pool(unit, scratch<T>(thread));
    case OpKind::kGlobalPool: return global_pool<T>(unit);
    case OpKind::kScale: return scale<T>(unit);
    case OpKind::kSum: return sum<T>(unit);
    case OpKind::kSigmoid: return activate<T>();
  }
}

void Plan::convert_unit([[maybe_unused]] void* context, int, [[maybe_unused]] int unit) {
#ifdef SN_HALF
  const Frame& frame = *static_cast<const Frame*>(context);
  const Plan& plan = frame.plan;
  const Placement& to = plan.placement(plan.graph_.input);
  Half* const halves = reinterpret_cast<Half*>(frame.arena + to.offset) + unit * to.channel_stride;
  to_halves(frame.input + unit * to.pixels(), to.pixels(), halves);
#endif
}

void Plan::slide_unit(void* context, int, int unit) {
  const Frame& frame = *static_cast<const Frame*>(context);
  with_element(frame.plan.half(frame.step->op->output),
               [&](auto* element) { frame.slide<std::remove_pointer_t<decltype(element)>>(unit); });
}

void Plan::run_unit(void* context, int thread, int unit) {
  const Frame& frame = *static_cast<const Frame*>(context);
  const auto [begin, end] = frame.range(unit);
  if (begin >= end || frame.cancellation.cancelled()) return;
  with_element(frame.plan.half(frame.step->op->input),
               [&](auto* element) { frame.run<std::remove_pointer_t<decltype(element)>>(thread, unit); });
}

bool Plan::run(const float* input, float* const* outputs, float* arena, ThreadPool& pool,
               const Cancellation& cancellation, StepObserver* observer) const {
  Frame frame = {*this, input, arena, cancellation};
  int last = -1;
  for (size_t i = 0; i < ready_.size(); i++) {
    if (outputs[i]) last = std::max(last, ready_[i]);
  }
  if (converts_input()) pool.run(graph_.values[graph_.input].channels, convert_unit, &frame);
  for (const Piece& piece : pieces_) {
    if (segments_[piece.step] > last) break;
    frame.piece = &piece;
    frame.step = &steps_[piece.step];
    if (piece.kept > 0 && piece.slide_from != piece.output_start) {
      pool.run(graph_.tensors[graph_.values[frame.step->op->output].tensor].channels, slide_unit, &frame);
    }
    pool.run(piece.units(), run_unit, &frame);
    if (cancellation.cancelled()) return false;
    // At once: the tensor's memory may be another's after the next step. What is asked for ends its segment.
    for (size_t i = 0; i < ready_.size(); i++) {
      if (outputs[i] && ready_[i] == piece.step && piece.end == extent(piece.step)) {
        with_element(half(graph_.outputs[i]), [&](auto* element) {
          frame.copy<std::remove_pointer_t<decltype(element)>>(graph_.outputs[i], outputs[i]);
        });
      }
    }
    if (observer) observer->piece_done(piece.step);
  }
  return true;
}

}  // namespace sn
