// A network that runs: the fused graph, its packed weights, and a plan for each input size seen lately.
#pragma once
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>

#include "core/teamwork.h"
#include "plan/plan.h"

namespace sn {

// What models of the same weights have in common, in all threads of the process.
class SharedWeights {
 public:
  // Where a weight is beyond what a half can be, with the best kernels of floats instead of these.
  SharedWeights(const Graph& graph, const Kernels& kernels)
      : graph(fuse(graph)), kernels(suitable(this->graph, kernels)), packed(this->graph, this->kernels) {}
  size_t bytes() const;

  const FusedGraph graph;
  const Kernels& kernels;
  PackedWeights packed;

  // The weights that are alive under this key, or new ones. The key must name the contents of the graph and of its
  // parameters; an empty one shares nothing. Throws as fuse().
  static std::shared_ptr<SharedWeights> get(const std::string& key, const Graph& graph, const Kernels& kernels);

 private:
  static const Kernels& suitable(const FusedGraph& graph, const Kernels& kernels);
};

class Model {
 public:
  // threads: how many work on one image, at least 1.
  Model(std::shared_ptr<SharedWeights> weights, int threads) : weights_(std::move(weights)), pool_(threads) {}

  int input_channels() const { return graph().values[graph().input].channels; }
  int output_channels() const { return graph().values[graph().outputs[0]].channels; }
  size_t outputs() const { return graph().outputs.size(); }
  int threads() const { return pool_.threads(); }
  const Kernels& kernels() const { return weights_->kernels; }

  // A buffer for each of the graph's outputs, of `n` images; null data where it is not wanted.
  struct Output {
    float* data;
    size_t size;
  };

  // Images [next, n) of n dense NCHW images, each taken from the counter, so that several threads may share the work.
  // softmax: the first output becomes probabilities. Throws Error(kInput) where the size does not fit the network or a
  // buffer the output, Error(kCancelled), std::bad_alloc.
  void run(const float* input, int n, int height, int width, bool softmax, const std::vector<Output>& outputs,
           std::atomic<int>& next, const Cancellation& cancellation);

  // Where the time of one image of this size goes: the median and the least of `runs` runs, of noise as input. Throws
  // as run().
  Profile profile(int height, int width, int runs, const Cancellation& cancellation);

  struct Memory {
    size_t weights, arenas;  // bytes; weights may be shared with other models
  };
  Memory memory() const;

 private:
  struct Arena {
    AlignedBuffer buffer;
    size_t zeroed = 0;  // floats, from the beginning
  };
  // A plan and the arenas of the runs that used it, kept for the next.
  struct Sized {
    Sized(Model& model, int height, int width)
        : height(height), width(width),
          plan(model.graph(), model.weights_->kernels, model.weights_->packed, height, width, model.pool_.threads()) {}
    const int height, width;
    const Plan plan;
    std::mutex mutex;
    std::vector<Arena> arenas;
    Teamwork teamwork;  // of who has the pool
  };
  class Lease;
  class PoolTurn;

  const FusedGraph& graph() const { return weights_->graph; }
  std::shared_ptr<Sized> plan_for(int height, int width);

  const std::shared_ptr<SharedWeights> weights_;
  ThreadPool pool_;
  bool pool_taken_ = false;  // by a run, guarded by mutex_
  std::condition_variable pool_free_;
  mutable std::mutex mutex_;
  std::list<std::shared_ptr<Sized>> plans_;  // most recent first
};

}  // namespace sn
