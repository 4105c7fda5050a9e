// Windows over planes, for the tests of depthwise convolutions and pools.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>

#include "reference.h"

namespace sn::test {

struct Windows {
  int height, width;  // of the input
  int kernel, stride;
  int pad_y, pad_x;
  int rows, columns;  // of the output; the last windows may stick out at the bottom and on the right
  int begin, end;     // output rows that are asked for

  int top(int y) const { return y * stride - pad_y; }
  int left(int x) const { return x * stride - pad_x; }
};

inline Windows random_windows(int width, int kernel, int pad, int stride, Random& random) {
  Windows w = {};
  w.width = width;
  w.height = random.between(1, 18);
  w.kernel = kernel;
  w.stride = stride;
  w.pad_x = pad;
  w.pad_y = random.between(0, kernel - 1);
  // As many windows as start inside, or as fit into a symmetric padding (at least one), or a cropped number.
  const auto outputs = [&](int size, int pad) {
    const int most = (size + pad - 1) / stride + 1;
    const int fitting = std::max(1, (size + 2 * pad - kernel) / stride + 1);
    return random.one_in(4) ? random.between(1, most) : random.one_in(2) ? most : std::min(fitting, most);
  };
  w.rows = outputs(w.height, w.pad_y);
  w.columns = outputs(width, w.pad_x);
  w.begin = random.one_in(2) ? 0 : random.between(0, w.rows - 1);
  w.end = random.one_in(2) ? w.rows : random.between(w.begin + 1, w.rows);
  return w;
}

inline void begin_windows_case(const Windows& w, const char* what, int a, int b) {
  begin_case("%d x %d, kernel %d, pads %d, %d, stride %d -> %d x %d, rows %d to %d, %s %d, %d", w.height, w.width,
             w.kernel, w.pad_y, w.pad_x, w.stride, w.rows, w.columns, w.begin, w.end, what, a, b);
}

// Planes of which only the memory from the first to the last row that the windows touch exists; rows between these that
// they don't touch are NaN.
template <class T>
Buffer<T> window_planes(const Tensor& in, const Windows& w, ptrdiff_t stride) {
  const int top = std::max(0, w.top(w.begin)), bottom = std::min(w.height, w.top(w.end - 1) + w.kernel);
  Buffer<T> planes("input", top * w.width, (in.channels - 1) * stride + bottom * w.width);
  for (int c = 0; c < in.channels; c++) {
    for (int i = top * w.width; i < bottom * w.width; i++)
      planes[c * stride + i] = static_cast<T>(in.at(c, i / w.width, i % w.width));
  }
  return planes;
}

// Output planes of which the rows asked for are expected to hold what `expected` says, and nothing else to be written.
template <class T, class Case>
Output<T> expected_planes(const Windows& w, int channels, ptrdiff_t stride, const Case& expected) {
  Output<T> output(w.begin * w.columns, (channels - 1) * stride + w.end * w.columns);
  for (int c = 0; c < channels; c++) {
    for (int y = w.begin; y < w.end; y++) {
      for (int x = 0; x < w.columns; x++) output.expect(c * stride + y * w.columns + x, expected.expected(c, y, x));
    }
  }
  return output;
}

// The planes of the paper's table, padded by one.
template <class Run>
void table_windows(int stride, Run run) {
  for (const int size : {7, 14, 28}) run(Windows{size * stride, size * stride, 3, stride, 1, 1, size, size, 0, size});
}

// Fails unless the rows asked for come out the same, to the bit, when they are computed a few at a time: threads and
// bands cut planes anywhere. run(output, begin, end) computes some of them.
template <class T, class Run>
void check_bands(const Windows& w, int channels, ptrdiff_t stride, const Output<T>& whole, Random& random, Run run) {
  const Buffer<T> parts("bands", whole.first(), whole.last());
  for (int y = w.begin; y < w.end;) {
    const int next = std::min(w.end, y + random.between(1, 4));
    run(parts.array(), y, next);
    y = next;
  }
  for (int c = 0; c < channels; c++) {
    for (int i = w.begin * w.columns; i < w.end * w.columns; i++) {
      const float a = static_cast<float>(whole[c * stride + i]), b = static_cast<float>(parts[c * stride + i]);
      if (std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b))) continue;
      fail("channel %d, row %d, column %d is %.9g, in a band of rows %.9g", c, i / w.columns, i % w.columns,
           static_cast<double>(a), static_cast<double>(b));
    }
  }
}

// A pixel-major input of which only the rows that the windows touch exist, and of these only
// channels [channel_begin, channel_end).
template <class T>
Buffer<T> window_pixels(const Tensor& in, const Windows& w, ptrdiff_t stride, int channel_begin, int channel_end) {
  const int top = std::max(0, w.top(w.begin)), bottom = std::min(w.height, w.top(w.end - 1) + w.kernel);
  Buffer<T> pixels("input", top * w.width * stride + channel_begin, (bottom * w.width - 1) * stride + channel_end);
  for (int y = top; y < bottom; y++) {
    for (int x = 0; x < w.width; x++) {
      for (int c = channel_begin; c < channel_end; c++)
        pixels[(y * w.width + x) * stride + c] = static_cast<T>(in.at(c, y, x));
    }
  }
  return pixels;
}

}  // namespace sn::test
