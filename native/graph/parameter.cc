#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "graph/graph.h"

namespace sn {
namespace {

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;
  if (exponent == 31) return from_bits(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
  // Denormal halves are multiples of 2^-24, all of them normal floats.
  const float value = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -value : value;
}

template <typename Stored, typename Convert>
std::vector<float> convert(const Parameter& parameter, Convert to_float) {
  std::vector<float> values(parameter.size);
  const char* from = static_cast<const char*>(parameter.data);
  for (float& value : values) {
    Stored stored;
    std::memcpy(&stored, from, sizeof stored);
    from += sizeof stored;
    value = to_float(stored);
  }
  return values;
}

}  // namespace

std::vector<float> values_of(const Parameter& parameter) {
  std::vector<float> values;
  switch (parameter.type) {
    case DataType::kF32: values = convert<float>(parameter, [](float v) { return v; }); break;
    case DataType::kF16: values = convert<uint16_t>(parameter, from_half); break;
    case DataType::kBF16:
      values = convert<uint16_t>(parameter, [](uint16_t v) { return from_bits(static_cast<uint32_t>(v) << 16); });
      break;
  }
  for (size_t i = 0; i < values.size(); i++) {
    if (std::isfinite(values[i])) continue;
    const char* what = std::isnan(values[i]) ? "NaN" : values[i] > 0 ? "Infinity" : "-Infinity";
    throw Error(ErrorCode::kValue, "tensor '" + parameter.name + "' holds " + what + " at index " + std::to_string(i) +
                                       "; weights must be finite");
  }
  return values;
}

}  // namespace sn
