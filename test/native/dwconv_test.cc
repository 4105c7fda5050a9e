// Both forms of the 3x3 depthwise convolution.
#include "windows.h"

namespace sn::test {
namespace {

// Sizes of a case that aren't about windows.
struct Case {
  Windows windows;
  float lower;
  Tensor input;
  std::vector<float> weights, bias;

  Case(const Windows& w, int channels, Random& random)
      : windows(w), lower(random.one_in(2) ? 0.0f : -INFINITY), input(channels, w.height, w.width, random),
        weights(Tensor(channels, 3, 3, random).values), bias(Tensor(channels, 1, 1, random).values) {
    if (random.one_in(8)) input.values[random.between(0, static_cast<int>(input.values.size()) - 1)] = NAN;
  }
  Value expected(int c, int y, int x) const {
    return depthwise(input, c, windows.top(y), windows.left(x), &weights[9 * c], bias[c], lower);
  }
};

void run_planes(const Kernels& kernels, const Windows& w, Random& random) {
  const int channels = random.between(1, 3);
  const int input_stride = w.height * w.width + random.between(0, 20);
  const int output_stride = w.rows * w.columns + random.between(0, 20);
  begin_windows_case(w, "channels, stride", channels, input_stride);
  const Case c(w, channels, random);
  const Buffer<float> input = window_planes(c.input, w, input_stride);
  Buffer<float> weights("weights", 0, 10 * channels);
  pack_dwconv_planes(c.weights.data(), c.bias.data(), channels, weights.array());
  const Output output = expected_planes(w, channels, output_stride, c);
  DwconvPlanes a = {};
  a.input = input.array();
  a.input_stride = input_stride;
  a.channels = channels;
  a.height = w.height;
  a.width = w.width;
  a.pad_y = w.pad_y;
  a.pad_x = w.pad_x;
  a.stride = w.stride;
  a.weights = weights.array();
  a.output = output.array();
  a.output_stride = output_stride;
  a.output_width = w.columns;
  a.lower = c.lower;
  kernels.dwconv.planes(a, w.begin, w.end);
  output.check();
}

void run_channels(const Kernels& kernels, const Windows& w, int channels, Random& random) {
  const int lanes = kernels.pwconv.lanes, vectors = (channels + lanes - 1) / lanes;
  const int first = random.one_in(2) ? 0 : random.between(0, vectors - 1) * lanes;
  const int last = random.one_in(2) ? channels : std::min(channels, random.between(first / lanes + 1, vectors) * lanes);
  begin_windows_case(w, "channels", first, last);
  const Case c(w, channels, random);
  const Buffer<float> input = window_pixels(c.input, w, channels, first, last);
  std::vector<float> packed(10 * channels);
  pack_dwconv_channels(c.weights.data(), c.bias.data(), channels, packed.data());
  Buffer<float> weights("weights", first, 9 * channels + last);
  for (int t = 0; t < 10; t++) {
    for (int i = first; i < last; i++) weights[t * channels + i] = packed[t * channels + i];
  }
  Output output(w.begin * w.columns * channels + first, (w.end * w.columns - 1) * channels + last);
  for (int y = w.begin; y < w.end; y++) {
    for (int x = 0; x < w.columns; x++) {
      for (int i = first; i < last; i++) output.expect((y * w.columns + x) * channels + i, c.expected(i, y, x));
    }
  }
  DwconvChannels a = {};
  a.input = input.array();
  a.height = w.height;
  a.width = w.width;
  a.channels = channels;
  a.pad_y = w.pad_y;
  a.pad_x = w.pad_x;
  a.stride = w.stride;
  a.weights = weights.array();
  a.output = output.array();
  a.output_width = w.columns;
  a.lower = c.lower;
  kernels.dwconv.channels(a, w.begin, w.end, first, last);
  output.check();
}

template <class Run>
void sweep(int widths, int times, Run run) {
  Random random(4);
  for (int i = 0; i < times; i++) {
    for (int width = 1; width <= widths; width++) {
      for (int pad = 0; pad <= 2; pad++) {
        for (int stride = 1; stride <= 2; stride++) {
          if (!random.skip()) run(random_windows(width, 3, pad, stride, random), random);
        }
      }
    }
  }
}

void planes(const Kernels& kernels) {
  sweep(60, 15, [&](const Windows& w, Random& random) { run_planes(kernels, w, random); });
}

void channels(const Kernels& kernels) {
  sweep(12, 70, [&](const Windows& w, Random& random) { run_channels(kernels, w, random.between(1, 50), random); });
}

const Test kTests[] = {
    {"planes form is right for every width, padding and overhang, and touches nothing else", planes},
    {"channels form is right for all windows and parts of channels, and touches nothing else", channels},
};

}  // namespace
}  // namespace sn::test
