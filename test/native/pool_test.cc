// Pools in both layouts, and global pools.
#include "kernels/pool/reflect.h"
#include "windows.h"

namespace sn::test {
namespace {

// Planes with a margin of their own cells, mirrored at the outermost.
Tensor with_mirrored_margin(const Tensor& in, int margin) {
  const auto from = [margin](int i, int size) { return size - 1 - std::abs(size - 1 - std::abs(i - margin)); };
  Tensor out(in.channels, in.height + 2 * margin, in.width + 2 * margin);
  for (int c = 0; c < in.channels; c++) {
    for (int y = 0; y < out.height; y++) {
      for (int x = 0; x < out.width; x++) out.at(c, y, x) = in.at(c, from(y, in.height), from(x, in.width));
    }
  }
  return out;
}

// A pool with scales that differ by row and column, so that none can take another's place.
template <class T>
struct Case {
  Windows windows;
  Tensor input;
  bool reflects, average;
  int margin;
  Tensor seen;  // by the windows
  float lower;
  Buffer<T> row_scale, column_scale;

  Case(const Windows& w, int channels, bool reflects, Random& random)
      : windows(w), input(random_tensor<T>(channels, w.height, w.width, random)), reflects(reflects),
        average(reflects || random.one_in(2)), margin(reflects ? 1 : 0), seen(with_mirrored_margin(input, margin)),
        lower(random.one_in(2) ? 0.0f : -INFINITY), row_scale("row_scale", w.begin, w.end),
        column_scale("column_scale", 0, w.columns) {
    for (int y = w.begin; y < w.end; y++) row_scale[y] = static_cast<T>(random.value<T>());
    for (int x = 0; x < w.columns; x++) column_scale[x] = static_cast<T>(random.value<T>());
  }
  void begin(int channels, int stride) const {
    const char* const kind = reflects  ? "reflecting, channels, stride"
                             : average ? "average, channels, stride"
                                       : "max, channels, stride";
    begin_windows_case(windows, kind, channels, stride);
  }
  PoolWindowOf<T> window() const {
    PoolWindowOf<T> p = {};
    p.average = average;
    p.kernel = windows.kernel;
    p.stride = windows.stride;
    if (average) p.row_scale = row_scale.array(), p.column_scale = column_scale.array();
    p.lower = lower;
    return p;
  }
  Value expected(int c, int y, int x) const {
    return pool(seen, c, windows.top(y) + margin, windows.left(x) + margin, windows.kernel, average,
                static_cast<double>(row_scale[y]) * static_cast<double>(column_scale[x]), lower);
  }
};

template <class T>
void run_planes(const KernelSet<T>& kernels, const Windows& w, bool reflects, Random& random) {
  const int channels = random.between(1, 3);
  const int input_stride = w.height * w.width + random.between(0, 20);
  const int output_stride = w.rows * w.columns + random.between(0, 20);
  const Case<T> c(w, channels, reflects, random);
  c.begin(channels, input_stride);
  const Buffer<T> input = window_planes<T>(c.input, w, input_stride);
  const Output<T> output = expected_planes<T>(w, channels, output_stride, c);
  PoolPlanesOf<T> a = {};
  a.window = c.window();
  a.input = input.array();
  a.input_stride = input_stride;
  a.channels = channels;
  a.height = w.height;
  a.width = w.width;
  a.pad_y = w.pad_y;
  a.pad_x = w.pad_x;
  a.output_stride = output_stride;
  a.output_width = w.columns;
  const auto run = [&](T* to, int begin, int end) {
    a.output = to;
    kernels.pool.planes(a, begin, end);
    if (reflects) reflect_borders(a, begin, end);
  };
  run(output.array(), w.begin, w.end);
  output.check();
  check_bands(w, channels, output_stride, output, random, run);
}

template <class T>
void run_channels(const KernelSet<T>& kernels, const Windows& w, int channels, bool reflects, Random& random) {
  const ptrdiff_t input_stride = channels + (random.one_in(2) ? 0 : random.between(1, 20));
  const ptrdiff_t output_stride = channels + (random.one_in(2) ? 0 : random.between(1, 20));
  const Case<T> c(w, channels, reflects, random);
  c.begin(channels, static_cast<int>(output_stride));
  const Buffer<T> input = window_pixels<T>(c.input, w, input_stride, 0, channels);
  Output<T> output(w.begin * w.columns * output_stride, (w.end * w.columns - 1) * output_stride + channels);
  for (int y = w.begin; y < w.end; y++) {
    for (int x = 0; x < w.columns; x++) {
      for (int i = 0; i < channels; i++) output.expect((y * w.columns + x) * output_stride + i, c.expected(i, y, x));
    }
  }
  PoolChannelsOf<T> a = {};
  a.window = c.window();
  a.input = input.array();
  a.input_stride = input_stride;
  a.height = w.height;
  a.width = w.width;
  a.channels = channels;
  a.pad_y = w.pad_y;
  a.pad_x = w.pad_x;
  a.output = output.array();
  a.output_stride = output_stride;
  a.output_width = w.columns;
  kernels.pool.channels(a, w.begin, w.end);
  if (reflects) reflect_borders(a, w.begin, w.end);
  output.check();
}

template <class Run>
void sweep(int widths, int times, Run run) {
  Random random(5);
  for (int i = 0; i < times; i++) {
    for (int width = 1; width <= widths; width++) {
      for (int kernel = 2; kernel <= 3; kernel++) {
        for (int pad = 0; pad < kernel; pad++) {
          for (int stride = 1; stride <= 3; stride++) {
            if (!random.skip()) run(random_windows(width, kernel, pad, stride, random), random);
          }
        }
      }
    }
  }
}

// Windows of 3x3 that stick out by at most one cell, on planes of at least two rows and columns.
template <class Run>
void reflecting_sweep(int widths, int times, Run run) {
  Random random(8);
  for (int i = 0; i < times; i++) {
    for (int width = 2; width <= widths; width++) {
      for (int stride = 1; stride <= 3; stride++) {
        if (random.skip()) continue;
        Windows w = {};
        w.width = width;
        w.height = random.between(2, 18);
        w.kernel = 3;
        w.stride = stride;
        w.pad_y = random.between(0, 1);
        w.pad_x = random.one_in(4) ? 0 : 1;
        const int last_top = w.height + w.pad_y + random.between(0, 1) - 3;
        const int last_left = width + w.pad_x + random.between(0, 1) - 3;
        if (last_top < 0 || last_left < 0) continue;
        w.rows = last_top / stride + 1;
        w.columns = last_left / stride + 1;
        w.begin = random.one_in(2) ? 0 : random.between(0, w.rows - 1);
        w.end = random.one_in(2) ? w.rows : random.between(w.begin + 1, w.rows);
        run(w, random);
      }
    }
  }
  for (int i = 0; i < 4; i++) table_windows(2, [&](const Windows& w) { run(w, random); });
}

template <class T>
void planes(const KernelSet<T>& kernels) {
  sweep(60, 6, [&](const Windows& w, Random& random) { run_planes(kernels, w, false, random); });
  Random random(9);
  for (int i = 0; i < 4; i++) table_windows(2, [&](const Windows& w) { run_planes(kernels, w, false, random); });
}

template <class T>
void channels(const KernelSet<T>& kernels) {
  sweep(12, 28,
        [&](const Windows& w, Random& random) { run_channels(kernels, w, random.between(1, 50), false, random); });
}

template <class T>
void reflecting_planes(const KernelSet<T>& kernels) {
  reflecting_sweep(60, 24, [&](const Windows& w, Random& random) { run_planes(kernels, w, true, random); });
}

template <class T>
void reflecting_channels(const KernelSet<T>& kernels) {
  reflecting_sweep(12, 40, [&](const Windows& w, Random& random) {
    run_channels(kernels, w, random.between(1, 50), true, random);
  });
}

// Mean or maximum of one channel of a row of pixels.
Value global(const Tensor& in, int channel, bool average) {
  double sum = 0, magnitude = 0, most = -INFINITY;
  for (int p = 0; p < in.width; p++) {
    const double value = in.at(channel, 0, p);
    sum += value;
    magnitude += std::fabs(value);
    most = std::max(most, value);
  }
  if (!average) return {most, 0};
  return {sum / in.width, tolerance(in.width + 1, magnitude / in.width)};
}

template <class T>
void global_plane(const KernelSet<T>& kernels) {
  Random random(6);
  for (int pixels = 1; pixels <= 2500; pixels++) {
    if (random.skip()) continue;
    for (bool average : {false, true}) {
      begin_case("%d pixels, average %d", pixels, average);
      const Tensor in = random_tensor<T>(1, 1, pixels, random);
      const Buffer<T> plane("plane", 0, pixels);
      for (int p = 0; p < pixels; p++) plane[p] = static_cast<T>(in.values[p]);
      Output<float> output(0, 1);
      output.expect(0, global(in, 0, average));
      output[0] = kernels.pool.global_plane(plane.array(), pixels, average);
      output.check();
    }
  }
}

template <class T>
void global_channels(const KernelSet<T>& kernels) {
  Random random(7);
  for (int i = 0; i < 5000; i++) {
    if (random.skip()) continue;
    const int pixels = random.pick<int>({1, 2, 3, 16, 49, 196}), channels = random.between(1, 70);
    const int begin = random.one_in(2) ? 0 : random.between(0, channels - 1);
    const int end = random.one_in(2) ? channels : random.between(begin + 1, channels);
    const bool average = random.one_in(2);
    begin_case("%d pixels, channels %d to %d of %d, average %d", pixels, begin, end, channels, average);
    const Tensor in = random_tensor<T>(channels, 1, pixels, random);
    const Buffer<T> input("input", begin, (pixels - 1) * channels + end);
    Output<float> output(begin, end);
    for (int c = begin; c < end; c++) {
      for (int p = 0; p < pixels; p++) input[p * channels + c] = static_cast<T>(in.at(c, 0, p));
      output.expect(c, global(in, c, average));
    }
    kernels.pool.global_channels(input.array(), pixels, channels, average, begin, end, output.array());
    output.check();
  }
}

const KernelTest kTests[] = {
    {"planes form is right for both kinds, all windows, in bands of rows too, and touches nothing else",
     [](const auto& kernels) { planes(kernels); }},
    {"channels form is right for both kinds and all windows, and touches nothing else",
     [](const auto& kernels) { channels(kernels); }},
    {"planes form reflects at borders, on planes of any size, in bands of rows too, and touches nothing else",
     [](const auto& kernels) { reflecting_planes(kernels); }},
    {"channels form reflects at borders, on planes of any size, and touches nothing else",
     [](const auto& kernels) { reflecting_channels(kernels); }},
    {"global pool of a plane is right for every number of pixels", [](const auto& kernels) { global_plane(kernels); }},
    {"global pool of pixel-major channels is right for every part of them",
     [](const auto& kernels) { global_channels(kernels); }},
};

}  // namespace
}  // namespace sn::test
