// Which tensors are planes and which are pixel-major.
//
// Planes shrink along the network and groups widen, so there is one point from which vectors over channels waste less
// than vectors over pixels. All tensors before it are planes, all after it pixel-major; it costs no conversion, because
// the channels form of the pointwise kernel and the pool read planes too.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "plan/plan.h"

namespace sn {
namespace {

constexpr double kImpossible = std::numeric_limits<double>::infinity();

double vectors(double values, int lanes) { return std::ceil(values / lanes); }

}  // namespace

bool Plan::whole(int value) const {
  const Value& v = graph_.values[value];
  return v.channels == graph_.tensors[v.tensor].channels;
}

std::vector<Layout> Plan::layouts_from(int first_channels_op) const {
  std::vector<Layout> layouts(graph_.tensors.size(), Layout::kPlanes);
  std::vector<bool> written(graph_.tensors.size());
  for (int i = 0; i < static_cast<int>(graph_.ops.size()); i++) {
    const int tensor = graph_.values[graph_.ops[i].output].tensor;
    if (!written[tensor] && i >= first_channels_op) layouts[tensor] = Layout::kChannels;
    written[tensor] = true;
  }
  for (size_t t = 0; t < layouts.size(); t++) {
    if (placements_[t].pixels() == 1) layouts[t] = Layout::kChannels;
  }
  return layouts;
}

// Vector multiply-adds, or kImpossible where no kernel has this pair of layouts.
double Plan::step_cost(const Op& op, const std::vector<Layout>& layouts) const {
  const auto layout = [&](int value) { return layouts[graph_.values[value].tensor]; };
  const Layout in = layout(op.input), out = layout(op.output);
  const Placement& from = placement(op.input);
  const Placement& to = placement(op.output);
  const PwconvTiles& tiles = this->tiles(op);
  const int lanes = tiles.lanes, channels = graph_.values[op.output].channels;
  const double pixels = static_cast<double>(to.pixels());
  const bool one_pixel = to.pixels() == 1;
  const bool planes_in = in == Layout::kPlanes || from.pixels() == 1;
  switch (op.kind) {
    case OpKind::kPointwise: {
      const double k = group_inputs(graph_, op), n = group_outputs(graph_, op);
      if (op.residual >= 0 && layout(op.residual) != out) return kImpossible;
      if (out == Layout::kChannels) return tiles.channels_cost * op.groups * k * pixels * vectors(n, lanes);
      return in == Layout::kPlanes ? op.groups * k * n * vectors(pixels, lanes) : kImpossible;
    }
    case OpKind::kConv: return planes_in && (out == Layout::kPlanes || one_pixel) ? 0 : kImpossible;
    case OpKind::kDepthwise:
      if (in == Layout::kChannels && out == Layout::kChannels && whole(op.input)) {
        return 9 * pixels * vectors(channels, lanes);
      }
      if (!planes_in || (out == Layout::kChannels && !one_pixel)) return kImpossible;
      return 9.0 * channels * to.height * vectors(to.width, lanes);
    case OpKind::kPool:
      if (!planes_in && out == Layout::kPlanes) return kImpossible;
      return in == Layout::kPlanes ? channels * to.height * vectors(to.width, lanes)
                                   : pixels * vectors(channels, lanes);
    case OpKind::kGlobalPool: return planes_in || whole(op.input) ? 0 : kImpossible;
    case OpKind::kScale: return in == out && (op.residual < 0 || layout(op.residual) == out) ? 0 : kImpossible;
    case OpKind::kFullyConnected:
    case OpKind::kSigmoid:
    case OpKind::kSum: return 0;
  }
  return kImpossible;
}

void Plan::choose_layouts() {
  std::vector<Layout> best;
  double least = kImpossible;
  // From the end, so that of equal costs the one with more planes wins.
  for (int first = static_cast<int>(graph_.ops.size()); first >= 0; first--) {
    const std::vector<Layout> layouts = layouts_from(first);
    double cost = 0;
    for (const Op& op : graph_.ops) cost += step_cost(op, layouts);
    if (cost < least) {
      least = cost;
      best = layouts;
    }
  }
  if (best.empty()) throw Error(ErrorCode::kGraph, "no kernels run this graph");
  for (size_t t = 0; t < best.size(); t++) placements_[t].layout = best[t];
}

}  // namespace sn
