#include "reference.h"

#include <cmath>

namespace sn::test {

double clamp(double x, double lower) { return x < lower ? lower : x; }

double tolerance(int terms, double magnitude) { return 4e-7 * std::sqrt(terms) * magnitude; }

Value pointwise(const Tensor& in, const std::vector<int>& channels, int y, int x, const float* weights, float bias,
                float residual, float lower) {
  const int terms = static_cast<int>(channels.size());
  double sum = static_cast<double>(bias) + residual, magnitude = std::fabs(bias) + std::fabs(residual);
  for (int k = 0; k < terms; k++) {
    const double product = static_cast<double>(weights[k]) * in.at(channels[k], y, x);
    sum += product;
    magnitude += std::fabs(product);
  }
  return {clamp(sum, lower), tolerance(terms + 2, magnitude)};
}

Value depthwise(const Tensor& in, int channel, int top, int left, const float* weights, float bias, float lower) {
  double sum = bias, magnitude = std::fabs(bias);
  for (int ky = 0; ky < 3; ky++) {
    for (int kx = 0; kx < 3; kx++) {
      if (!in.inside(top + ky, left + kx)) continue;
      const double product = static_cast<double>(weights[ky * 3 + kx]) * in.at(channel, top + ky, left + kx);
      sum += product;
      magnitude += std::fabs(product);
    }
  }
  return {clamp(sum, lower), tolerance(10, magnitude)};
}

Value pool(const Tensor& in, int channel, int top, int left, int kernel, bool average, double scale, float lower) {
  double sum = 0, magnitude = 0, most = -INFINITY;
  for (int ky = 0; ky < kernel; ky++) {
    for (int kx = 0; kx < kernel; kx++) {
      if (!in.inside(top + ky, left + kx)) continue;
      const double value = in.at(channel, top + ky, left + kx);
      sum += value;
      magnitude += std::fabs(value);
      most = std::fmax(most, value);
    }
  }
  if (!average) return {clamp(most, lower), 0};
  return {clamp(sum * scale, lower), tolerance(kernel * kernel + 2, magnitude * std::fabs(scale))};
}

}  // namespace sn::test
