// The rows that windows read: as many values as rows_columns says, every one of them written but for the slack.
#include "windows.h"

namespace sn::test {
namespace {

template <class T>
void run(const KernelSet<T>& kernels, int width, int pad, int kernel, int stride, Random& random) {
  const int height = random.between(1, 6), lanes = kernels.pwconv.lanes;
  const int first = random.between(-2, height), count = random.between(1, 5);
  // One window more than fits or one less: what ceil mode and cropped outputs ask for.
  const int outputs = std::max(1, (width + 2 * pad - kernel) / stride + random.between(0, 2));
  const int columns = rows_columns(width, pad, kernel, stride, outputs, lanes);
  const float fill = random.pick<float>({0.0f, -INFINITY, 3.5f});
  begin_case("width %d, height %d, pad %d, kernel %d, stride %d, outputs %d, rows %d and %d more, columns %d", width,
             height, pad, kernel, stride, outputs, first, count - 1, columns);
  const Tensor in = random_tensor<T>(1, height, width, random);
  const Buffer<T> plane("plane", 0, height * width);
  for (int i = 0; i < height * width; i++) plane[i] = static_cast<T>(in.values[i]);
  Output<T> scratch(0, count * stride * columns);
  for (int row = 0; row < count; row++) {
    for (int column = 0; column < stride * columns; column++) {
      const int x = column - pad, at = (row * stride + column % stride) * columns + column / stride;
      if (column / stride >= columns - lanes) {
        scratch.ignore(at);
      } else {
        scratch.expect(at, {in.inside(first + row, x) ? in.at(0, first + row, x) : fill, 0});
      }
    }
  }
  RowsOf<T> rows = {};
  rows.plane = plane.array();
  rows.height = height;
  rows.width = width;
  rows.pad = pad;
  rows.stride = stride;
  rows.columns = columns;
  rows.fill = fill;
  kernels.rows.fill(rows, first, count, scratch.array());
  scratch.check();
}

template <class T>
void sweep(const KernelSet<T>& kernels) {
  Random random(3);
  for (int width = 1; width <= 70; width++) {
    for (int stride = 1; stride <= 4; stride++) {
      for (int pad = 0; pad <= 3; pad++) {
        for (int kernel = 1; kernel <= 7; kernel += 2) {
          if (!random.skip()) run(kernels, width, pad, kernel, stride, random);
        }
      }
    }
  }
  for (int i = 0; i < 1000; i++) {
    if (random.skip()) continue;
    run(kernels, random.between(70, 240), random.between(0, 3), random.between(1, 7), random.between(1, 3), random);
  }
}

const KernelTest kTests[] = {
    {"rows hold the plane by phases and the fill everywhere else, for rows in and out of the plane",
     [](const auto& kernels) { sweep(kernels); }},
};

}  // namespace
}  // namespace sn::test
