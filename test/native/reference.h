// What the kernels compute, one output value at a time, in doubles and by the definition: loops over a tensor of
// channels, rows and columns that know nothing of layouts, packing, tiles or vectors.
#pragma once
#include <cmath>
#include <vector>

#include "check.h"

namespace sn::test {

struct Tensor {
  int channels, height, width;
  std::vector<float> values;

  Tensor(int channels, int height, int width)
      : channels(channels), height(height), width(width), values(static_cast<size_t>(channels) * height * width) {}
  float& at(int channel, int y, int x) { return values[(static_cast<size_t>(channel) * height + y) * width + x]; }
  float at(int channel, int y, int x) const { return const_cast<Tensor*>(this)->at(channel, y, x); }
  bool inside(int y, int x) const { return y >= 0 && y < height && x >= 0 && x < width; }
};

// Of values that elements of type T have, see Random::value().
template <class T>
Tensor random_tensor(int channels, int height, int width, Random& random) {
  Tensor tensor(channels, height, width);
  for (float& value : tensor.values) value = random.value<T>();
  return tensor;
}

// max(x, lower), except that NaN stays.
double clamp(double x, double lower);
// How far a float sum of `terms` terms may stray whose absolute values sum up to `magnitude`. Sums of halves are exact,
// see Random::value().
double tolerance(int terms, double magnitude);

// bias + sum over k of weights[k] * (channel channels[k] at y, x) + residual, clamped.
Value pointwise(const Tensor& in, const std::vector<int>& channels, int y, int x, const float* weights, float bias,
                float residual, float lower);
// A 3x3 window whose first value is at (top, left); what lies outside is zero.
Value depthwise(const Tensor& in, int channel, int top, int left, const float* weights, float bias, float lower);
// The maximum, or the sum times `scale`, of what of a window lies inside.
Value pool(const Tensor& in, int channel, int top, int left, int kernel, bool average, double scale, float lower);

}  // namespace sn::test
