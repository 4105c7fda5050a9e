#include "plan/model.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"
#include "core/flush_denormals.h"

namespace sn {
namespace {

// Plans are small beside their arenas, but an arena of a large input is not.
constexpr size_t kPlansKept = 4;

}  // namespace

// An arena for the length of one run.
class Model::Lease {
 public:
  // Not all zeroed where the run is cancelled meanwhile.
  Lease(Sized& sized, const Cancellation& cancellation) : sized_(sized) {
    const size_t size = sized.plan.arena_floats();
    {
      const std::lock_guard<std::mutex> lock(sized.mutex);
      if (sized.arenas.empty()) {
        arena_.buffer = AlignedBuffer(size, false);
        sized.arenas.reserve(sized.arenas.capacity() + 1);  // so that giving it back cannot fail
      } else {
        arena_ = std::move(sized.arenas.back());
        sized.arenas.pop_back();
      }
    }
    // New memory of a large input takes the system a second, so piece by piece, and without the lock.
    while (arena_.zeroed < size && !cancellation.cancelled()) {
      const size_t piece = std::min<size_t>(1 << 18, size - arena_.zeroed);
      std::fill_n(arena_.buffer.data() + arena_.zeroed, piece, 0.0f);
      arena_.zeroed += piece;
    }
  }
  ~Lease() {
    const std::lock_guard<std::mutex> lock(sized_.mutex);
    sized_.arenas.push_back(std::move(arena_));
  }
  float* data() const { return arena_.buffer.data(); }

 private:
  Sized& sized_;
  Arena arena_;
};

// The pool for the length of one run, where it has helpers; without, every run is its own pool.
class Model::PoolTurn {
 public:
  PoolTurn(Model& model, const Cancellation& cancellation) : model_(model), shared_(model.pool_.threads() > 1) {
    if (!shared_) return;
    std::unique_lock<std::mutex> lock(model.mutex_);
    // Waking now and then, as cancellation wakes nobody.
    while (!model.pool_free_.wait_for(lock, std::chrono::milliseconds(1), [&] { return !model.pool_taken_; })) {
      if (cancellation.cancelled()) throw Error(ErrorCode::kCancelled, "the run was cancelled");
    }
    model.pool_taken_ = true;
  }
  ~PoolTurn() {
    if (!shared_) return;
    {
      const std::lock_guard<std::mutex> lock(model_.mutex_);
      model_.pool_taken_ = false;
    }
    model_.pool_free_.notify_one();
  }

 private:
  Model& model_;
  const bool shared_;
};

std::shared_ptr<Model::Sized> Model::plan_for(int height, int width) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto it = plans_.begin(); it != plans_.end(); ++it) {
    if ((*it)->height == height && (*it)->width == width) {
      plans_.splice(plans_.begin(), plans_, it);
      return plans_.front();
    }
  }
  plans_.push_front(std::make_shared<Sized>(*this, height, width));
  if (plans_.size() > kPlansKept) plans_.pop_back();
  return plans_.front();
}

void Model::run(const float* input, int n, int height, int width, bool softmax, const std::vector<Output>& outputs,
                std::atomic<int>& next, const Cancellation& cancellation) {
  const std::shared_ptr<Sized> sized = plan_for(height, width);
  for (size_t i = 0; i < outputs.size(); i++) {
    const size_t size = n * sized->plan.output_size(i);
    if (!outputs[i].data || outputs[i].size == size) continue;
    throw Error(ErrorCode::kInput, "output " + std::to_string(i) + " needs " + std::to_string(size) + " values, not " +
                                       std::to_string(outputs[i].size));
  }
  const Lease arena(*sized, cancellation);
  const PoolTurn turn(*this, cancellation);
  const FlushDenormals flush;
  const size_t image = static_cast<size_t>(input_channels()) * height * width;
  std::vector<float*> to(outputs.size());
  for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) {
    for (size_t o = 0; o < to.size(); o++) {
      to[o] = outputs[o].data ? outputs[o].data + i * sized->plan.output_size(o) : nullptr;
    }
    const bool shared = threads() > 1, alone = shared && sized->teamwork.alone();
    if (shared) pool_.set_alone(alone);
    const auto begin = std::chrono::steady_clock::now();
    if (!sized->plan.run(input + i * image, to.data(), arena.data(), pool_, cancellation)) {
      throw Error(ErrorCode::kCancelled, "the run was cancelled");
    }
    // Other outputs may take less.
    if (shared && to[0]) sized->teamwork.took(alone, std::chrono::steady_clock::now() - begin);
    if (softmax && to[0]) sn::softmax(to[0], output_channels());
  }
}

Profile Model::profile(int height, int width, int runs, const Cancellation& cancellation) {
  const std::shared_ptr<Sized> sized = plan_for(height, width);
  const Lease arena(*sized, cancellation);
  const PoolTurn turn(*this, cancellation);
  const FlushDenormals flush;
  if (threads() > 1) pool_.set_alone(false);
  return sized->plan.profile(arena.data(), pool_, runs, cancellation);
}

size_t SharedWeights::bytes() const {
  size_t floats = 0;
  for (const Op& op : graph.ops) floats += op.weights.size() + op.bias.size();
  return packed.bytes() + floats * sizeof(float);
}

const Kernels& SharedWeights::suitable(const FusedGraph& graph, const Kernels& kernels) {
  const auto fits = [](const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return std::fabs(v) <= kMostHalf; });
  };
  const auto runs = [&](const Op& op) {
    return !half(graph, kernels, op.input) || (fits(op.weights) && fits(op.bias));
  };
  if (std::all_of(graph.ops.begin(), graph.ops.end(), runs)) return kernels;
  const std::vector<Kernels>& all = available_kernels();
  return *std::find_if(all.begin(), all.end(), [](const Kernels& other) { return !other.halves; });
}

std::shared_ptr<SharedWeights> SharedWeights::get(const std::string& key, const Graph& graph, const Kernels& kernels) {
  if (key.empty()) return std::make_shared<SharedWeights>(graph, kernels);
  // Those who ask for the same key at once wait for the first to make it; other keys do not wait.
  struct Slot {
    std::mutex mutex;
    std::weak_ptr<SharedWeights> weights;
  };
  static std::mutex mutex;
  static auto& slots = *new std::map<std::string, std::shared_ptr<Slot>>;
  std::shared_ptr<Slot> slot;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    for (auto it = slots.begin(); it != slots.end();) {
      it = it->second.use_count() == 1 && it->second->weights.expired() ? slots.erase(it) : std::next(it);
    }
    std::shared_ptr<Slot>& entry = slots[key + ' ' + kernels.isa];
    if (!entry) entry = std::make_shared<Slot>();
    slot = entry;
  }
  const std::lock_guard<std::mutex> lock(slot->mutex);
  std::shared_ptr<SharedWeights> weights = slot->weights.lock();
  if (!weights) slot->weights = weights = std::make_shared<SharedWeights>(graph, kernels);
  return weights;
}

Model::Memory Model::memory() const {
  size_t arenas = 0;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& sized : plans_) {
    const std::lock_guard<std::mutex> inner(sized->mutex);
    for (const Arena& arena : sized->arenas) arenas += arena.buffer.size() * sizeof(float);
  }
  return {weights_->bytes(), arenas};
}

}  // namespace sn
