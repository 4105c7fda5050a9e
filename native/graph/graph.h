// The layer graph as it comes in: small, in execution order, parameters by pointer. Mirrors lib/network/layers.ts.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace sn {

struct Padding {
  int begin = 0, end = 0;  // rows and columns before and after
  bool ceil = false;       // round output sizes up; no window may start beyond size + begin
  bool same = false;       // TensorFlow's SAME instead
  bool reflect = false;    // average pools: the plane mirrored at its outermost cells instead of zeros
};

enum class DataType { kF32, kF16, kBF16 };

// A named parameter as a weights file has it: little-endian, at any address, owned by the caller, who keeps it until
// fuse() has returned. Null data where a layer has none.
struct Parameter {
  std::string name;
  const void* data = nullptr;
  size_t size = 0;  // values
  DataType type = DataType::kF32;
};

// Its values as float32. Throws Error(kValue) at a value that is not finite.
std::vector<float> values_of(const Parameter& parameter);

enum class LayerKind {
  kInput,
  kConv,
  kBatchNorm,
  kRelu,
  kSigmoid,
  kShuffle,
  kMaxPool,
  kAvgPool,
  kGlobalAvgPool,
  kGlobalMaxPool,
  kFullyConnected,
  kAdd,
  kConcat,
  kScale,
};

struct Layer {
  LayerKind kind = LayerKind::kInput;
  std::string name;
  int input = -1, input2 = -1;  // earlier layers; input2 of add, concat and scale
  int channels = 0;             // output channels of input, conv and fully connected layers
  int kernel = 1, stride = 1, groups = 1;
  Padding padding;
  bool count_padding = false;
  float epsilon = 0.0f;
  Parameter weight, bias;                 // conv [out, in/groups, kh, kw], fully connected [out, in]
  Parameter gamma, beta, mean, variance;  // batch norm
};

struct Graph {
  std::vector<Layer> layers;
  std::vector<int> outputs;  // layers whose values can be asked for
};

}  // namespace sn
