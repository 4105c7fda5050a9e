// Output sizes and resolved padding of windows, for one axis.
#pragma once
#include "graph/graph.h"

namespace sn {

struct Window {
  int output;  // positions, 0 where the input is too small
  int begin;   // padding before
  int end;     // padding after, as far as windows reach
};

Window window_of(int size, int kernel, int stride, const Padding& padding);

}  // namespace sn
