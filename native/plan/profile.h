// Where the time of a run goes, step by step, and what the core could do at most. Times are in seconds.
#pragma once
#include <string>
#include <vector>

#include "kernels/peak/peak.h"

namespace sn {

// Told of each piece of a step once it is done, on the thread that called Plan::run.
class StepObserver {
 public:
  virtual void piece_done(int step) = 0;

 protected:
  ~StepObserver() = default;
};

struct StepProfile {
  std::string name;       // of the layers it computes, joined by '+'
  const char* kind = "";  // conv, pwconv, dwconv, pool, globalPool, fc, scale, sigmoid, sum
  const char* form = "";  // the layout it works in: planes, channels
  int groups = 1, input_channels = 0, output_channels = 0;
  int height = 0, width = 0;  // of the output
  int kernel = 1, stride = 1;
  // Of convolutions and fully connected layers, as lib/network/complexity.ts counts them.
  double multiply_adds = 0;
  // Weights and activations read and activations written, each once and without padding.
  double bytes = 0;
  double median = 0, least = 0;
};

struct Profile {
  double peak = 0;               // GFLOP/s of one thread
  double median = 0, least = 0;  // of the whole run
  std::vector<StepProfile> steps;
};

// The most GFLOP/s that the calling thread makes with these instructions, two for a multiply-add: the best of many short
// runs. Takes 10 ms.
double measure_peak(const PeakKernels& kernels);

}  // namespace sn
