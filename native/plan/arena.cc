// Where activations lie: every tensor lives from the step that first writes it to the one that last reads it, steps that
// take turns counting as one; and tensors whose lives do not overlap share memory. A sum with a residual that nobody needs
// afterwards is made in place.
#include <algorithm>
#include <numeric>

#include "plan/plan.h"

namespace sn {

// Whether a step writes where its residual lies.
bool Plan::overwrites(int step) const {
  const Op& op = *steps_[step].op;
  if (op.kind == OpKind::kSum) return false;  // reorders channels
  if (op.residual < 0 || is_input(op.residual) || !whole(op.residual) || !whole(op.output)) return false;
  const int from = graph_.values[op.residual].tensor;
  if (graph_.values[op.input].tensor == from) return false;
  const auto is_from = [&](int value) { return value >= 0 && graph_.values[value].tensor == from; };
  for (size_t s = step + 1; s < steps_.size(); s++) {
    const Op& later = *steps_[s].op;
    if (is_from(later.input) || is_from(later.residual) || is_from(later.factor) || is_from(later.output)) return false;
  }
  return true;
}

void Plan::place() {
  struct Life {
    int first = -1, last = -1;
    size_t floats = 0;
    int owner = -1;  // the tensor whose memory this one uses
  };
  std::vector<Life> lives(graph_.tensors.size());
  const int count = static_cast<int>(graph_.ops.size());
  const auto touch = [&](int value, int op) {
    if (value < 0) return;
    Life& life = lives[graph_.values[value].tensor];
    if (life.first < 0) life.first = op;
    life.last = std::max(life.last, op);
  };
  for (int i = 0; i < count; i++) {
    const Op& op = graph_.ops[i];
    for (const int value : {op.input, op.residual, op.factor, op.output}) touch(value, i);
  }
  for (size_t i = 0; i < graph_.outputs.size(); i++) touch(graph_.outputs[i], ready_[i]);
  if (converts_input()) touch(graph_.input, 0);

  for (size_t t = 0; t < lives.size(); t++) {
    const Placement& p = placements_[t];
    lives[t].owner = static_cast<int>(t);
    const size_t elements =
        p.layout == Layout::kPlanes ? p.channel_stride * graph_.tensors[t].channels : p.pixel_stride * p.pixels();
    // Whole cache lines.
    const size_t bytes = elements * element_size(graph_.tensors[t], kernels_);
    lives[t].floats = (bytes + kCacheLine - 1) / kCacheLine * (kCacheLine / sizeof(float));
  }
  const auto owner = [&](int tensor) {
    while (lives[tensor].owner != tensor) tensor = lives[tensor].owner;
    return tensor;
  };
  for (int i = 0; i < count; i++) {
    const Op& op = graph_.ops[i];
    if (!overwrites(i)) continue;
    const int from = owner(graph_.values[op.residual].tensor), to = graph_.values[op.output].tensor;
    lives[to].owner = from;
    lives[from].last = std::max(lives[from].last, lives[to].last);
  }
  for (Life& life : lives) {
    if (life.first < 0) continue;
    life.first = segments_[life.first];
    while (life.last + 1 < count && segments_[life.last + 1] == segments_[life.last]) life.last++;
  }

  std::vector<int> order(lives.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return lives[a].floats > lives[b].floats; });
  std::vector<int> placed;
  for (const int t : order) {
    const Life& life = lives[t];
    if (life.owner != t || life.first < 0) continue;
    if (t == graph_.values[graph_.input].tensor && !converts_input()) continue;
    // The lowest gap between those alive at the same time.
    std::vector<int> rivals;
    for (const int other : placed) {
      if (lives[other].first <= life.last && life.first <= lives[other].last) rivals.push_back(other);
    }
    std::sort(rivals.begin(), rivals.end(),
              [&](int a, int b) { return placements_[a].offset < placements_[b].offset; });
    size_t offset = 0;
    for (const int other : rivals) {
      if (offset + life.floats <= placements_[other].offset) break;
      offset = std::max(offset, placements_[other].offset + lives[other].floats);
    }
    placements_[t].offset = offset;
    placed.push_back(t);
    arena_floats_ = std::max(arena_floats_, offset + life.floats);
  }
  for (size_t t = 0; t < lives.size(); t++) placements_[t].offset = placements_[owner(static_cast<int>(t))].offset;
}

}  // namespace sn
