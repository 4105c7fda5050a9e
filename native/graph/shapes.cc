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
  int output = span < 0 ? 0 : span / stride + 1;
  // Rounding up also lets one window overhang a plane smaller than itself, by less than a stride.
  const bool overhangs = span > -stride && span % stride != 0;
  if (padding.ceil && overhangs && output * stride < size + padding.begin) output++;
  return {output, padding.begin, padding.end};
}

}  // namespace sn
