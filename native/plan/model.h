// A network that runs: the fused graph, its packed weights, and a plan for each input size seen lately.
#pragma once
#include <list>
#include <memory>
#include <mutex>

#include "plan/plan.h"

namespace sn {

class Model {
 public:
  // threads: how many work on one image, at least 1. The graph's parameters are not needed afterwards.
  Model(const Graph& graph, const Kernels& kernels, int threads);

  int input_channels() const { return graph_.values[graph_.input].channels; }
  int output_channels() const { return graph_.values[graph_.output].channels; }

  // input: n dense NCHW images; output: n * output_size(height, width) values, as probabilities where softmax is set. May
  // be called from several threads at once. Throws Error(kInput) where the size does not fit.
  void run(const float* input, int n, int height, int width, bool softmax, float* output);

  struct Memory {
    size_t weights, arenas;  // bytes
  };
  Memory memory() const;

 private:
  // A plan and the arenas of the runs that used it, kept for the next.
  struct Sized {
    Sized(Model& model, int height, int width)
        : height(height), width(width),
          plan(model.graph_, model.kernels_, model.weights_, height, width, model.pool_.threads()) {}
    const int height, width;
    const Plan plan;
    std::mutex mutex;
    std::vector<AlignedBuffer> arenas;
  };
  class Lease;

  std::shared_ptr<Sized> plan_for(int height, int width);

  const Kernels& kernels_;
  const FusedGraph graph_;
  PackedWeights weights_;
  ThreadPool pool_;
  std::mutex pool_mutex_;  // of runs that share the pool
  mutable std::mutex mutex_;
  std::list<std::shared_ptr<Sized>> plans_;  // most recent first
};

}  // namespace sn
