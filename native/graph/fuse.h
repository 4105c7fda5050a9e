// From layers to the few operations that run: batch norm is folded into weights; ReLU, add and concatenation become part
// of the operation before them; the shuffle becomes a channel map of a value, which its readers turn into an index list
// (pointwise, fully connected) or into the order of their own weights (depthwise).
#pragma once
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sn {

enum class OpKind {
  kConv,       // any kernel, stride and groups
  kPointwise,  // 1x1, stride 1, unpadded; optional residual
  kDepthwise,  // 3x3, stride 1 or 2
  kPool,
  kGlobalPool,
  kFullyConnected,  // on a 1x1 plane
  kScale,           // input times factor; optional residual
  kSigmoid,         // on a 1x1 plane
  kSum,             // input plus optional residual, reordering channels: what nothing else could absorb
};

// Storage of one or, after a concatenation, several values side by side.
struct Tensor {
  int channels = 0;
  bool wide = false;  // float, also where others are half
};

struct Value {
  int tensor = -1;
  int first = 0;  // its first channel in the tensor
  int channels = 0;
  std::vector<int> map;  // logical channel c is channel first + map[c] of the tensor; empty: in order
  int at(int c) const { return first + (map.empty() ? c : map[c]); }
};

struct Op {
  OpKind kind = OpKind::kSum;
  std::string name;  // of the layer it began as
  int input = -1;    // values; output's map is empty, or the input's for kinds that go channel by channel
  int residual = -1;
  int factor = -1;
  int output = -1;
  int kernel = 1, stride = 1, groups = 1;
  Padding padding;
  bool average = false, count_padding = false;
  bool relu = false;
  // Batch norm folded in: [out, in/groups, k, k]. Depthwise: rows in the order of the input's channels in its tensor.
  std::vector<float> weights, bias;
};

struct FusedGraph {
  std::vector<Op> ops;
  std::vector<Value> values;
  std::vector<Tensor> tensors;
  int input = -1;            // values
  std::vector<int> outputs;  // of graph.outputs
};

// Throws Error(kGraph) on an ill-formed graph, Error(kTensor) on a parameter of the wrong size, Error(kValue) on a value
// that is not finite or a variance that is not positive.
FusedGraph fuse(const Graph& graph);

// Sets `wide` for what is behind a global pool: the classifier and the factors of squeeze and excitation are too few
// values to win anything by halves, and logits too close to each other to lose bits. The tensors of an operation are of
// one width, but a global pool may widen and a sigmoid narrow.
void widen(FusedGraph& graph);

}  // namespace sn
