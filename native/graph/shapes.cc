#include "graph/shapes.h"

#include <algorithm>

namespace sn {

Window window_of(int size, int kernel, int stride, const Padding& padding) {
  if (padding.same) {
    const int output = (size + stride - 1) / stride;
    const int total = std::max(0, (output - 1) * stride + kernel - size);
    return {output, total / 2, total - total / 2};
  }
  const int span = size + padding.begin + padding.end - kernel;
  if (span < 0) return {0, padding.begin, padding.end};
  int output = span / stride + 1;
  if (padding.ceil && span % stride != 0 && output * stride < size + padding.begin) output++;
  return {output, padding.begin, padding.end};
}

}  // namespace sn
