// Both forms of the pointwise convolution, for every number of channels around tile and vector sizes and those of the
// paper's table 1. Every buffer holds exactly what the contract lets a kernel touch.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "reference.h"

namespace sn::test {
namespace {

// Widths of groups in the paper's networks.
const std::vector<int> kTableWidths = {1, 2, 3, 12, 17, 18, 20, 24, 25, 34, 36, 40, 48, 50, 60, 68, 72, 80, 96, 100};

enum class Residual { kNone, kSeparate, kInPlace };
// Of input channels: any, at equal distances, or in a few runs of neighbours.
enum class Order { kRandom, kEven, kRuns };

struct Case {
  int k, n;
  int begin, end;              // pixels
  int panel_begin, panel_end;  // channels form
  int spare;                   // input channels of other groups in between
  int gap;                     // values between rows
  Order order;
  Residual residual;
  bool relu, nan;
  bool planes_input;  // channels form: input in the planes layout
};

std::vector<int> around(std::vector<int> sizes, std::vector<int> others = {}) {
  for (int size : sizes) {
    for (int near = size - 1; near <= size + 1; near++) {
      if (near > 0) others.push_back(near);
    }
  }
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  return others;
}

// `count` of `count + spare` channels in random order: a shuffle, seen from one group.
std::vector<int> shuffled(int count, int spare, Random& random) {
  std::vector<int> channels(count + spare);
  std::iota(channels.begin(), channels.end(), 0);
  for (int i = count + spare - 1; i > 0; i--) std::swap(channels[i], channels[random.between(0, i)]);
  channels.resize(count);
  return channels;
}

// `count` of `count + spare` channels at equal distances, forwards or backwards.
std::vector<int> evenly_spaced(int count, int spare, Random& random) {
  const int most = count > 1 ? (count + spare - 1) / (count - 1) : 1, step = random.between(1, most);
  const int first = random.between(0, count + spare - 1 - (count - 1) * step);
  std::vector<int> channels(count);
  for (int i = 0; i < count; i++) channels[i] = first + i * step;
  if (random.one_in(4)) std::reverse(channels.begin(), channels.end());
  return channels;
}

// `count` of `count + spare` channels in as many as four runs of about equal length.
std::vector<int> in_runs(int count, int spare, Random& random) {
  const Split runs(count, random.between((count + 3) / 4, count));
  std::vector<int> channels;
  for (int run = 0, gap = 0; run < runs.parts; run++) {
    gap = random.between(gap, spare);
    for (int i = 0; i < runs.size(run); i++) channels.push_back(gap + runs.begin(run) + i);
  }
  return channels;
}

std::vector<int> inputs(Order order, int count, int spare, Random& random) {
  return order == Order::kEven   ? evenly_spaced(count, spare, random)
         : order == Order::kRuns ? in_runs(count, spare, random)
                                 : shuffled(count, spare, random);
}

Case random_case(int k, int n, int pixels, Random& random) {
  Case c = {};
  c.k = k;
  c.n = n;
  c.begin = random.one_in(2) ? 0 : random.between(1, 40);
  c.end = c.begin + pixels;
  c.spare = random.one_in(2) ? 0 : random.between(1, 2 * k);
  c.gap = random.one_in(2) ? 0 : random.between(1, 20);
  c.order = static_cast<Order>(random.between(0, 2));
  c.residual = static_cast<Residual>(random.between(0, 2));
  c.relu = random.one_in(2);
  c.nan = random.one_in(8);
  c.planes_input = random.one_in(2);
  return c;
}

// Values of a case, without a layout.
template <class T>
struct Problem {
  Tensor input;  // pixels before `begin` included
  std::vector<int> channels;
  std::vector<float> weights, bias;
  Tensor residual;
  float lower;

  // rising: input channels in the order in which they lie, as the channels form wants them.
  Problem(const Case& c, bool rising, Random& random)
      : input(random_tensor<T>(c.k + c.spare, 1, c.end, random)), channels(inputs(c.order, c.k, c.spare, random)),
        weights(random_tensor<T>(c.n, 1, c.k, random).values), bias(random_tensor<T>(c.n, 1, 1, random).values),
        residual(random_tensor<T>(c.n, 1, c.end, random)), lower(c.relu ? 0.0f : -INFINITY) {
    if (rising) std::sort(channels.begin(), channels.end());
    if (c.nan) input.at(random.pick(channels), 0, random.between(c.begin, c.end - 1)) = NAN;
  }

  Value expected(const Case& c, int n, int p) const {
    return pointwise(input, channels, 0, p, &weights[static_cast<size_t>(n) * c.k], bias[n],
                     c.residual == Residual::kNone ? 0.0f : residual.at(n, 0, p), lower);
  }
};

void describe(const Case& c) {
  begin_case(
      "k %d, n %d, pixels %d to %d, panels %d to %d, spare %d, order %d, gap %d, residual %d, relu %d, nan %d, planes "
      "%d",
      c.k, c.n, c.begin, c.end, c.panel_begin, c.panel_end, c.spare, static_cast<int>(c.order), c.gap,
      static_cast<int>(c.residual), c.relu, c.nan, c.planes_input);
}

template <class T>
void run_planes(const PwconvKernelsOf<T>& kernels, const Case& c, Random& random) {
  describe(c);
  const Problem<T> problem(c, false, random);
  std::vector<float> packed(pwconv_planes_size(c.k, c.n));
  pack_pwconv_planes(problem.weights.data(), problem.bias.data(), c.k, c.n, kernels.planes_mr, kernels.planes_unit,
                     packed.data());
  Buffer<T> weights("weights", 0, static_cast<ptrdiff_t>(packed.size()));
  for (ptrdiff_t i = 0; i < weights.last(); i++) weights[i] = static_cast<T>(packed[i]);

  const int pixels = c.end - c.begin;
  const int read = (pixels + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
  const ptrdiff_t stride = c.end + c.gap;
  const auto [lowest, highest] = std::minmax_element(problem.channels.begin(), problem.channels.end());
  Buffer<T> input("input", *lowest * stride + c.begin, *highest * stride + c.begin + read);
  Buffer<int32_t> offsets("offsets", 0, c.k);
  for (int k = 0; k < c.k; k++) {
    const int channel = problem.channels[k];
    offsets[k] = static_cast<int32_t>(channel * stride);
    for (int p = c.begin; p < c.end; p++) input[channel * stride + p] = static_cast<T>(problem.input.at(channel, 0, p));
  }

  const ptrdiff_t output_stride = pixels + random.between(0, c.gap),
                  residual_stride = pixels + random.between(0, c.gap);
  Output<T> output(c.begin, (c.n - 1) * output_stride + c.end);
  Buffer<T> residual("residual", c.begin, (c.n - 1) * residual_stride + c.end);
  for (int n = 0; n < c.n; n++) {
    for (int p = c.begin; p < c.end; p++) {
      residual[n * residual_stride + p] = static_cast<T>(problem.residual.at(n, 0, p));
      if (c.residual == Residual::kInPlace)
        output[n * output_stride + p] = static_cast<T>(problem.residual.at(n, 0, p));
      output.expect(n * output_stride + p, problem.expected(c, n, p));
    }
  }

  PwconvPlanesOf<T> a = {};
  a.k = c.k;
  a.n = c.n;
  a.weights = weights.array();
  a.input = input.array();
  a.offsets = offsets.array();
  a.output = output.array();
  a.output_stride = output_stride;
  if (c.residual == Residual::kSeparate) a.residual = residual.array(), a.residual_stride = residual_stride;
  if (c.residual == Residual::kInPlace) a.residual = output.array(), a.residual_stride = output_stride;
  a.lower = problem.lower;
  kernels.planes(a, c.begin, c.end);
  output.check();
}

template <class T>
void run_channels(const PwconvKernelsOf<T>& kernels, Case c, Random& random) {
  const int lanes = kernels.lanes;
  const Split panels((c.n + lanes - 1) / lanes, kernels.channels_nr);
  c.panel_end = panels.parts;
  if (random.one_in(3)) {
    c.panel_begin = random.between(0, panels.parts - 1);
    c.panel_end = random.between(c.panel_begin + 1, panels.parts);
  }
  describe(c);
  const Problem<T> problem(c, true, random);

  // Only the weights and outputs of the panels that are asked for exist.
  const int first = panels.begin(c.panel_begin) * lanes, last = panels.begin(c.panel_end) * lanes;
  const int n_end = std::min(last, c.n);
  std::vector<float> packed(pwconv_channels_size(c.k, c.n, lanes));
  pack_pwconv_channels(problem.weights.data(), problem.bias.data(), c.k, c.n, lanes, kernels.channels_nr,
                       packed.data());
  Buffer<T> weights("weights", (c.k + 1) * first, (c.k + 1) * last);
  for (ptrdiff_t i = weights.first(); i < weights.last(); i++) weights[i] = static_cast<T>(packed[i]);

  const ptrdiff_t plane = c.end + c.gap, pixel_stride = c.planes_input ? 1 : c.k + c.spare + c.gap;
  const ptrdiff_t channel_stride = c.planes_input ? plane : 1;
  const auto [lowest, highest] = std::minmax_element(problem.channels.begin(), problem.channels.end());
  Buffer<T> input("input", c.begin * pixel_stride + *lowest * channel_stride,
                  (c.end - 1) * pixel_stride + *highest * channel_stride + 1);
  Buffer<int32_t> offsets("offsets", 0, c.k);
  for (int k = 0; k < c.k; k++) {
    const int channel = problem.channels[k];
    offsets[k] = static_cast<int32_t>(channel * channel_stride);
    for (int p = c.begin; p < c.end; p++) {
      input[p * pixel_stride + channel * channel_stride] = static_cast<T>(problem.input.at(channel, 0, p));
    }
  }

  const ptrdiff_t output_stride = c.n + random.between(0, c.gap), residual_stride = c.n + random.between(0, c.gap);
  Output<T> output(c.begin * output_stride + first, (c.end - 1) * output_stride + n_end);
  Buffer<T> residual("residual", c.begin * residual_stride + first, (c.end - 1) * residual_stride + n_end);
  for (int p = c.begin; p < c.end; p++) {
    for (int n = first; n < n_end; n++) {
      residual[p * residual_stride + n] = static_cast<T>(problem.residual.at(n, 0, p));
      if (c.residual == Residual::kInPlace)
        output[p * output_stride + n] = static_cast<T>(problem.residual.at(n, 0, p));
      output.expect(p * output_stride + n, problem.expected(c, n, p));
    }
  }

  PwconvChannelsOf<T> a = {};
  a.k = c.k;
  a.n = c.n;
  a.weights = weights.array();
  a.input = input.array();
  a.offsets = offsets.array();
  a.pixel_stride = pixel_stride;
  a.output = output.array();
  a.output_stride = output_stride;
  if (c.residual == Residual::kSeparate) a.residual = residual.array(), a.residual_stride = residual_stride;
  if (c.residual == Residual::kInPlace) a.residual = output.array(), a.residual_stride = output_stride;
  a.lower = problem.lower;
  kernels.channels(a, c.begin, c.end, c.panel_begin, c.panel_end);
  output.check();
}

// Every pair of two of the three sizes that matter; the third, strides, residuals and ranges vary at random.
template <class T, class Run>
void sweep(const PwconvKernelsOf<T>& kernels, Run run) {
  Random random(1);
  const std::vector<int> ks = around({1, 4, 8}, kTableWidths);
  const std::vector<int> ns =
      around({kernels.lanes, kernels.planes_mr, 2 * kernels.planes_mr, kernels.channels_nr * kernels.lanes},
             kTableWidths);
  const std::vector<int> pixels = around({1, 4, 8, kernels.lanes, 2 * kernels.lanes, kernels.planes_nr * kernels.lanes,
                                          2 * kernels.planes_nr * kernels.lanes});
  const auto check = [&](int k, int n, int pixel_count) {
    if (!random.skip()) run(kernels, random_case(k, n, pixel_count, random), random);
  };
  for (int n : ns) {
    for (int pixel_count : pixels) check(random.pick(ks), n, pixel_count);
    for (int k : ks) check(k, n, random.pick(pixels));
  }
  for (int k : ks) {
    for (int pixel_count : pixels) check(k, random.pick(ns), pixel_count);
  }
  for (int i = 0; i < 4000; i++) check(random.between(1, 40), random.between(1, 60), random.between(1, 70));
}

// More channels than a kernel may have set memory aside for.
template <class T>
void many_channels(const PwconvKernelsOf<T>& kernels) {
  Random random(3);
  for (int n : {511, 512, 513, 700, 1100}) run_planes(kernels, random_case(9, n, 25, random), random);
  for (int k : {1023, 1024, 1025, 1500}) run_planes(kernels, random_case(k, 13, 25, random), random);
}

// Whole planes of the network at 224 pixels, and a classifier.
template <class T, class Run>
void sweep_planes(const PwconvKernelsOf<T>& kernels, Run run) {
  Random random(2);
  for (int pixels : {49, 196, 784}) {
    for (int k : kTableWidths) {
      if (!random.skip()) run(kernels, random_case(k, random.pick(kTableWidths), pixels, random), random);
    }
  }
  run(kernels, random_case(960, 1000, 1, random), random);
}

const KernelTest kTests[] = {
    {"planes form is right for every size around its tiles, touching only what it may",
     [](const auto& kernels) {
       sweep(kernels.pwconv, [](const auto& k, const Case& c, Random& r) { run_planes(k, c, r); });
     }},
    {"planes form is right for whole planes",
     [](const auto& kernels) {
       sweep_planes(kernels.pwconv, [](const auto& k, const Case& c, Random& r) { run_planes(k, c, r); });
     }},
    {"planes form is right for many channels", [](const auto& kernels) { many_channels(kernels.pwconv); }},
    {"channels form is right for every size around its tiles, from both layouts, touching only what it may",
     [](const auto& kernels) {
       sweep(kernels.pwconv, [](const auto& k, const Case& c, Random& r) { run_channels(k, c, r); });
     }},
    {"channels form is right for whole planes and a classifier",
     [](const auto& kernels) {
       sweep_planes(kernels.pwconv, [](const auto& k, const Case& c, Random& r) { run_channels(k, c, r); });
     }},
};

}  // namespace
}  // namespace sn::test
