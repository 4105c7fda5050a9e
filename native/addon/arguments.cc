#include "addon/arguments.h"

#include <cmath>
#include <limits>
#include <utility>

#include "addon/errors.h"

namespace sn {
namespace {

constexpr std::pair<const char*, LayerKind> kKinds[] = {
    {"input", LayerKind::kInput},     {"conv", LayerKind::kConv},       {"batchNorm", LayerKind::kBatchNorm},
    {"relu", LayerKind::kRelu},       {"sigmoid", LayerKind::kSigmoid}, {"shuffle", LayerKind::kShuffle},
    {"maxPool", LayerKind::kMaxPool}, {"avgPool", LayerKind::kAvgPool}, {"add", LayerKind::kAdd},
    {"concat", LayerKind::kConcat},   {"scale", LayerKind::kScale},     {"fullyConnected", LayerKind::kFullyConnected},
};

constexpr int kMost = std::numeric_limits<int>::max();
constexpr int kMostPixels = 1 << 12;  // of windows and strides: scratch grows with them

std::string to_text(Napi::Value value, const char* what) {
  if (!value.IsString()) throw_error(value.Env(), "ERR_NETWORK", std::string(what) + " must be a string");
  return value.As<Napi::String>();
}

Napi::Object to_object(Napi::Value value, const char* what) {
  if (!value.IsObject()) throw_error(value.Env(), "ERR_NETWORK", std::string(what) + " must be an object");
  return value.As<Napi::Object>();
}

LayerKind to_kind(const std::string& op, Napi::Object layer) {
  if (op == "globalPool") {
    const std::string mode = to_text(layer.Get("mode"), "mode");
    if (mode == "avg") return LayerKind::kGlobalAvgPool;
    if (mode == "max") return LayerKind::kGlobalMaxPool;
    throw_error(layer.Env(), "ERR_NETWORK", "unknown mode '" + mode + "'");
  }
  for (const auto& [name, kind] : kKinds) {
    if (op == name) return kind;
  }
  throw_error(layer.Env(), "ERR_NETWORK", "unknown layer op '" + op + "'");
}

Padding to_padding(Napi::Value value) {
  Padding padding;
  if (value.IsUndefined()) return padding;
  if (value.IsString()) {
    if (to_text(value, "padding") != "same") throw_error(value.Env(), "ERR_NETWORK", "padding as text must be 'same'");
    padding.same = true;
    return padding;
  }
  const Napi::Object object = to_object(value, "padding");
  padding.begin = to_int(object.Get("begin"), "padding.begin", 0, kMostPixels);
  padding.end = to_int(object.Get("end"), "padding.end", 0, kMostPixels);
  padding.ceil = object.Get("ceil").ToBoolean();
  padding.reflect = object.Get("reflect").ToBoolean();
  return padding;
}

Parameter to_parameter(Napi::Object layer, const char* role, Napi::Object tensors) {
  Parameter parameter;
  if (!layer.Has(role)) return parameter;
  parameter.name = to_text(layer.Get(role), role);
  const Napi::Value tensor = tensors.Get(parameter.name);
  if (tensor.IsTypedArray() && tensor.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array) {
    const Napi::Float32Array values = tensor.As<Napi::Float32Array>();
    parameter.data = values.Data();
    parameter.size = values.ElementLength();
    return parameter;
  }
  constexpr std::pair<const char*, DataType> kTypes[] = {{"F32", DataType::kF32},
                                                         {"F16", DataType::kF16},
                                                         {"BF16", DataType::kBF16}};
  if (tensor.IsObject() && tensor.As<Napi::Object>().Get("bytes").IsTypedArray()) {
    const Napi::Object stored = tensor.As<Napi::Object>();
    const Napi::TypedArray bytes = stored.Get("bytes").As<Napi::TypedArray>();
    const std::string dtype = to_text(stored.Get("dtype"), "dtype");
    for (const auto& [name, type] : kTypes) {
      if (dtype != name || bytes.TypedArrayType() != napi_uint8_array) continue;
      parameter.type = type;
      parameter.data = bytes.As<Napi::Uint8Array>().Data();
      parameter.size = bytes.ByteLength() / (type == DataType::kF32 ? 4 : 2);
      return parameter;
    }
  }
  throw_error(layer.Env(), "ERR_WEIGHTS_TENSOR",
              "tensor '" + parameter.name + "' must be a Float32Array or bytes of dtype F32, F16 or BF16");
}

Layer to_layer(Napi::Object from, Napi::Object tensors) {
  Layer layer;
  layer.name = to_text(from.Get("name"), "name");
  layer.kind = to_kind(to_text(from.Get("op"), "op"), from);
  const auto number = [&](const char* key, int least, int& to, int most = kMost) {
    if (from.Has(key)) to = to_int(from.Get(key), key, least, most);
  };
  number("input", 0, layer.input);
  if (from.Has("inputs")) {
    const Napi::Object inputs = to_object(from.Get("inputs"), "inputs");
    layer.input = to_int(inputs.Get(0u), "inputs[0]", 0, kMost);
    layer.input2 = to_int(inputs.Get(1u), "inputs[1]", 0, kMost);
  }
  for (const char* key : {"channels", "outChannels", "outFeatures"}) number(key, 1, layer.channels);
  number("kernel", 1, layer.kernel, kMostPixels);
  number("stride", 1, layer.stride, kMostPixels);
  number("groups", 1, layer.groups);
  layer.padding = to_padding(from.Get("padding"));
  layer.count_padding = from.Get("countPadding").ToBoolean();
  if (from.Has("epsilon")) {
    const Napi::Value epsilon = from.Get("epsilon");
    layer.epsilon = epsilon.IsNumber() ? epsilon.As<Napi::Number>().FloatValue() : -1.0f;
    if (!(layer.epsilon >= 0 && std::isfinite(layer.epsilon))) {
      throw_error(from.Env(), "ERR_NETWORK", "epsilon must be a finite number, not negative");
    }
  }
  layer.weight = to_parameter(from, "weight", tensors);
  layer.bias = to_parameter(from, "bias", tensors);
  layer.gamma = to_parameter(from, "gamma", tensors);
  layer.beta = to_parameter(from, "beta", tensors);
  layer.mean = to_parameter(from, "mean", tensors);
  layer.variance = to_parameter(from, "variance", tensors);
  return layer;
}

}  // namespace

Graph to_graph(Napi::Object from, Napi::Object tensors) {
  Graph graph;
  if (!from.Get("layers").IsArray()) throw_error(from.Env(), "ERR_NETWORK", "graph.layers must be an array");
  const Napi::Array layers = from.Get("layers").As<Napi::Array>();
  for (uint32_t i = 0; i < layers.Length(); i++) {
    const Napi::HandleScope scope(from.Env());
    graph.layers.push_back(to_layer(to_object(layers.Get(i), "a layer"), tensors));
  }
  graph.outputs.push_back(to_int(from.Get("output"), "graph.output", 0, kMost));
  if (from.Get("taps").IsArray()) {
    const Napi::Array taps = from.Get("taps").As<Napi::Array>();
    for (uint32_t i = 0; i < taps.Length(); i++) graph.outputs.push_back(to_int(taps.Get(i), "graph.taps", 0, kMost));
  }
  return graph;
}

int to_int(Napi::Value value, const char* what, int least, int most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(number >= least && number <= most) || number != std::floor(number)) {
    throw_error(value.Env(), "ERR_OPTION",
                std::string(what) + " must be a whole number from " + std::to_string(least) + " to " +
                    std::to_string(most));
  }
  return static_cast<int>(number);
}

Napi::Float32Array to_floats(Napi::Value value, const char* what, size_t size) {
  const bool floats = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
  // A detached array has length 0.
  if (!floats || value.As<Napi::Float32Array>().ElementLength() != size) {
    throw_error(value.Env(), "ERR_INPUT",
                std::string(what) + " must be a Float32Array of " + std::to_string(size) +
                    " values that is not detached");
  }
  return value.As<Napi::Float32Array>();
}

}  // namespace sn
