// Both forms of the 3x3 depthwise convolution.
#include "windows.h"

namespace sn::test {
namespace {

// Sizes of a case that aren't about windows.
template <class T>
struct Case {
  Windows windows;
  float lower;
  Tensor input;
  std::vector<float> weights, bias;

  Case(const Windows& w, int channels, Random& random)
      : windows(w), lower(random.one_in(2) ? 0.0f : -INFINITY),
        input(random_tensor<T>(channels, w.height, w.width, random)),
        weights(random_tensor<T>(channels, 3, 3, random).values),
        bias(random_tensor<T>(channels, 1, 1, random).values) {
    if (random.one_in(8)) input.values[random.between(0, static_cast<int>(input.values.size()) - 1)] = NAN;
  }
  Value expected(int c, int y, int x) const {
    return depthwise(input, c, windows.top(y), windows.left(x), &weights[9 * c], bias[c], lower);
  }
};

template <class T>
void run_planes(const KernelSet<T>& kernels, const Windows& w, Random& random) {
  const int channels = random.between(1, 3);
  const int input_stride = w.height * w.width + random.between(0, 20);
  const int output_stride = w.rows * w.columns + random.between(0, 20);
  begin_windows_case(w, "channels, stride", channels, input_stride);
  const Case<T> c(w, channels, random);
  const Buffer<T> input = window_planes<T>(c.input, w, input_stride);
  std::vector<float> packed(10 * channels);
  pack_dwconv_planes(c.weights.data(), c.bias.data(), channels, packed.data());
  Buffer<T> weights("weights", 0, 10 * channels);
  for (int i = 0; i < 10 * channels; i++) weights[i] = static_cast<T>(packed[i]);
  const Output<T> output = expected_planes<T>(w, channels, output_stride, c);
  DwconvPlanesOf<T> a = {};
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
  check_bands(w, channels, output_stride, output, random, [&](T* parts, int begin, int end) {
    a.output = parts;
    kernels.dwconv.planes(a, begin, end);
  });
}

template <class T>
void run_channels(const KernelSet<T>& kernels, const Windows& w, int channels, Random& random) {
  const int lanes = kernels.pwconv.lanes, vectors = (channels + lanes - 1) / lanes;
  const int first = random.one_in(2) ? 0 : random.between(0, vectors - 1) * lanes;
  const int last = random.one_in(2) ? channels : std::min(channels, random.between(first / lanes + 1, vectors) * lanes);
  begin_windows_case(w, "channels", first, last);
  const Case<T> c(w, channels, random);
  const Buffer<T> input = window_pixels<T>(c.input, w, channels, first, last);
  std::vector<float> packed(10 * channels);
  pack_dwconv_channels(c.weights.data(), c.bias.data(), channels, packed.data());
  Buffer<T> weights("weights", first, 9 * channels + last);
  for (int t = 0; t < 10; t++) {
    for (int i = first; i < last; i++) weights[t * channels + i] = static_cast<T>(packed[t * channels + i]);
  }
  Output<T> output(w.begin * w.columns * channels + first, (w.end * w.columns - 1) * channels + last);
  for (int y = w.begin; y < w.end; y++) {
    for (int x = 0; x < w.columns; x++) {
      for (int i = first; i < last; i++) output.expect((y * w.columns + x) * channels + i, c.expected(i, y, x));
    }
  }
  DwconvChannelsOf<T> a = {};
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

template <class T>
void planes(const KernelSet<T>& kernels) {
  sweep(60, 15, [&](const Windows& w, Random& random) { run_planes(kernels, w, random); });
  Random random(8);
  for (const int stride : {1, 2}) table_windows(stride, [&](const Windows& w) { run_planes(kernels, w, random); });
}

template <class T>
void channels(const KernelSet<T>& kernels) {
  sweep(12, 70, [&](const Windows& w, Random& random) { run_channels(kernels, w, random.between(1, 50), random); });
}

const KernelTest kTests[] = {
    {"planes form is right for every width, padding and overhang, in bands of rows too, and touches nothing else",
     [](const auto& kernels) { planes(kernels); }},
    {"channels form is right for all windows and parts of channels, and touches nothing else",
     [](const auto& kernels) { channels(kernels); }},
};

}  // namespace
}  // namespace sn::test
