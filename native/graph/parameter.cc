#include <algorithm>
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

// Without branches, so that compilers make vectors of it. Halves without their sign, moved into place, are floats too small
// by 2^112, denormal ones included; only those of the largest exponent are not numbers.
float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16, rest = half & 0x7fff;
  const float value = from_bits(rest << 13) * 0x1p112f;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return from_bits(sign | bits | (rest < 0x7c00 ? 0 : 0x7f800000));
}

template <typename Stored, typename Convert>
std::vector<float> convert(const Parameter& parameter, Convert to_float) {
  std::vector<float> values(parameter.size);
  const char* from = static_cast<const char*>(parameter.data);
  for (size_t i = 0; i < values.size(); i++) {
    Stored stored;
    std::memcpy(&stored, from + i * sizeof stored, sizeof stored);
    values[i] = to_float(stored);
  }
  return values;
}

// Also without branches.
bool all_finite(const std::vector<float>& values) {
  uint32_t most = 0;
  for (const float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    most = std::max(most, bits & 0x7fffffff);
  }
  return most < 0x7f800000;
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
  if (all_finite(values)) return values;
  for (size_t i = 0; i < values.size(); i++) {
    if (std::isfinite(values[i])) continue;
    const char* what = std::isnan(values[i]) ? "NaN" : values[i] > 0 ? "Infinity" : "-Infinity";
    throw Error(ErrorCode::kValue, "tensor '" + parameter.name + "' holds " + what + " at index " + std::to_string(i) +
                                       "; weights must be finite");
  }
  return values;
}

}  // namespace sn
