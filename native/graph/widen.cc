#include "graph/fuse.h"

namespace sn {

void widen(FusedGraph& graph) {
  const auto wide = [&](int value) -> bool& { return graph.tensors[graph.values[value].tensor].wide; };
  std::vector<bool> written(graph.tensors.size());
  for (const Op& op : graph.ops) {
    const int tensor = graph.values[op.output].tensor;
    const bool may = op.kind == OpKind::kGlobalPool || wide(op.input);
    graph.tensors[tensor].wide = may && (!written[tensor] || graph.tensors[tensor].wide);
    written[tensor] = true;
  }
  // Until nothing more has to be narrow.
  for (bool changed = true; changed;) {
    changed = false;
    const auto narrow = [&](int value) {
      if (value < 0 || !wide(value)) return;
      wide(value) = false;
      changed = true;
    };
    for (const Op& op : graph.ops) {
      if (op.kind == OpKind::kGlobalPool) {
        if (!wide(op.output)) narrow(op.input);
      } else if (op.kind == OpKind::kSigmoid) {
        if (!wide(op.input)) narrow(op.output);
      } else {
        bool all = true;
        for (const int value : {op.input, op.residual, op.factor, op.output}) all &= value < 0 || wide(value);
        for (const int value : {op.input, op.residual, op.factor, op.output}) {
          if (!all) narrow(value);
        }
      }
    }
  }
}

}  // namespace sn
