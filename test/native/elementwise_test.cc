// Scale, the strided sum, sigmoid and softmax.
#include <algorithm>
#include <cmath>

#include "reference.h"

namespace sn::test {
namespace {

// Where a scale's residual and output lie.
enum class Residual { kNone, kSeparate, kOutput };

template <class T>
void run_scale(const KernelSet<T>& kernels, bool pixel, int count, Random& random) {
  const bool in_place = random.one_in(2);
  const Residual kind = static_cast<Residual>(random.between(0, 2));
  const float lower = random.one_in(2) ? 0.0f : -INFINITY, factor = random.value<T>();
  begin_case("count %d, in place %d, residual %d, lower %g", count, in_place, static_cast<int>(kind), lower);
  Tensor in = random_tensor<T>(1, 1, count, random);
  const Tensor residual_in = random_tensor<T>(1, 1, count, random), factors_in = random_tensor<T>(1, 1, count, random);
  if (random.one_in(8)) in.values[random.between(0, count - 1)] = NAN;
  const Buffer<T> input("input", 0, count), residual("residual", 0, count), factors("factors", 0, count);
  Output<T> output(0, count);
  for (int i = 0; i < count; i++) {
    input[i] = static_cast<T>(in.values[i]);
    residual[i] = static_cast<T>(residual_in.values[i]);
    factors[i] = static_cast<T>(factors_in.values[i]);
    if (kind == Residual::kOutput) output[i] = residual[i];
    if (in_place) output[i] = input[i];
    const double product = static_cast<double>(input[i]) * static_cast<double>(pixel ? factors_in.values[i] : factor);
    const double other =
        kind == Residual::kNone ? 0 : static_cast<double>(kind == Residual::kOutput ? output[i] : residual[i]);
    output.expect(i, {clamp(product + other, lower), tolerance(2, std::fabs(product) + std::fabs(other))});
  }
  ScaleOf<T> a = {};
  a.input = in_place ? output.array() : input.array();
  if (kind != Residual::kNone) a.residual = kind == Residual::kOutput ? output.array() : residual.array();
  a.output = output.array();
  a.lower = lower;
  if (pixel) {
    kernels.elementwise.scale_pixel(a, factors.array(), count);
  } else {
    kernels.elementwise.scale_plane(a, factor, count);
  }
  output.check();
}

template <bool Pixel, class T>
void scale(const KernelSet<T>& kernels) {
  Random random(8);
  for (int i = 0; i < 80; i++) {
    for (int count = 1; count <= 70; count++) {
      if (!random.skip()) run_scale(kernels, Pixel, count, random);
    }
  }
}

template <class T>
void sum(const KernelSet<T>&) {
  Random random(9);
  for (int i = 0; i < 3000; i++) {
    if (random.skip()) continue;
    const int channels = random.between(1, 20), pixels = random.between(1, 30);
    const int begin = random.between(0, channels - 1), end = random.between(begin + 1, channels);
    const bool has_b = random.one_in(2);
    const float lower = random.one_in(2) ? 0.0f : -INFINITY;
    // Either layout for each of the three, padded, with the channels of an input in any order.
    struct Layout {
      int channel, pixel;
      Layout(int channels, int pixels, Random& random) {
        const bool planes = random.one_in(2);
        const int gap = random.between(0, 3);
        channel = planes ? pixels + gap : 1;
        pixel = planes ? 1 : channels + gap;
      }
    };
    const Layout layouts[] = {{channels, pixels, random}, {channels, pixels, random}, {channels, pixels, random}};
    begin_case("channels %d to %d of %d, pixels %d, b %d, pixel strides %d %d -> %d", begin, end, channels, pixels,
               has_b, layouts[0].pixel, layouts[1].pixel, layouts[2].pixel);
    const Tensor in[] = {random_tensor<T>(channels, 1, pixels, random), random_tensor<T>(channels, 1, pixels, random)};
    const auto size = [&](const Layout& l) { return (channels - 1) * l.channel + (pixels - 1) * l.pixel + 1; };
    const Buffer<T> data[] = {{"a", 0, size(layouts[0])}, {"b", 0, size(layouts[1])}};
    const Buffer<int32_t> tables[] = {{"a.channels", begin, end}, {"b.channels", begin, end}};
    std::vector<int> order(channels);
    for (int c = 0; c < channels; c++) order[c] = c;
    const Layout& out = layouts[2];
    Output<T> output(begin * out.channel, (end - 1) * out.channel + (pixels - 1) * out.pixel + 1);
    std::vector<double> sums(channels * pixels), magnitudes(channels * pixels);
    for (int t = 0; t < (has_b ? 2 : 1); t++) {
      for (int c = channels - 1; c > 0; c--) std::swap(order[c], order[random.between(0, c)]);
      for (int c = begin; c < end; c++) {
        tables[t][c] = order[c] * layouts[t].channel;
        for (int p = 0; p < pixels; p++) {
          const float value = in[t].at(order[c], 0, p);
          data[t][order[c] * layouts[t].channel + p * layouts[t].pixel] = static_cast<T>(value);
          sums[c * pixels + p] += value;
          magnitudes[c * pixels + p] += std::fabs(value);
        }
      }
    }
    for (int c = begin; c < end; c++) {
      for (int p = 0; p < pixels; p++) {
        output.expect(c * out.channel + p * out.pixel,
                      {clamp(sums[c * pixels + p], lower), tolerance(2, magnitudes[c * pixels + p])});
      }
    }
    const StridedInput<T> a = {data[0].array(), tables[0].array(), layouts[0].pixel};
    const StridedInput<T> b = {has_b ? data[1].array() : nullptr, has_b ? tables[1].array() : nullptr,
                               layouts[1].pixel};
    strided_sum(a, b, pixels, begin, end, output.array(), out.channel, out.pixel, lower);
    output.check();
  }
}

void sigmoid_values() {
  Random random(10);
  std::vector<float> values = {0.0f, -0.0f, 1.0f, -1.0f, 88.0f, -88.0f, 200.0f, -200.0f, INFINITY, -INFINITY, NAN};
  for (int i = 0; i < 500; i++) values.push_back(20 * random.value());
  for (int count : {1, 2, 7, static_cast<int>(values.size())}) {
    begin_case("count %d", count);
    const Buffer<float> input("input", 0, count);
    Output<float> output(0, count);
    for (int i = 0; i < count; i++) {
      input[i] = values[i];
      const double exact = 1 / (1 + std::exp(-static_cast<double>(values[i])));
      output.expect(i, {exact, 4e-7 * exact + 1e-37});
    }
    sigmoid(input.array(), count, output.array());
    output.check();
  }
}

void softmax_values() {
  Random random(11);
  for (int count : {1, 2, 3, 10, 100, 1000, 1001}) {
    for (float spread : {0.0f, 1.0f, 30.0f, 1e4f, 3e38f}) {
      begin_case("count %d, spread %g", count, static_cast<double>(spread));
      Output<float> output(0, count);
      double most = -INFINITY, total = 0;
      for (int i = 0; i < count; i++) most = std::max<double>(most, output[i] = spread * random.value());
      for (int i = 0; i < count; i++) total += std::exp(output[i] - most);
      for (int i = 0; i < count; i++) {
        const double exact = std::exp(output[i] - most) / total;
        // The exponent's own rounding counts as often as it is large.
        output.expect(i, {exact, exact * (tolerance(count, 1) + 6e-8 * (most - output[i])) + 1e-37});
      }
      softmax(output.array(), count);
      output.check();
    }
  }
}

const KernelTest kKernelTests[] = {
    {"scale by one factor is right for every count, in place or not",
     [](const auto& kernels) { scale<false>(kernels); }},
    {"scale by a factor each is right for every count, in place or not",
     [](const auto& kernels) { scale<true>(kernels); }},
    {"strided sum reads and writes any layout, shuffled, and touches only its channels",
     [](const auto& kernels) { sum(kernels); }},
};

const Test kTests[] = {
    {"sigmoid is right, also where the exponential overflows", sigmoid_values},
    {"softmax is right, also for values far apart", softmax_values},
};

}  // namespace
}  // namespace sn::test
