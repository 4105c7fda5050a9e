#include "plan/model.h"

#include "core/flush_denormals.h"

namespace sn {
namespace {

// Plans are small beside their arenas, but an arena of a large input is not.
constexpr size_t kPlansKept = 4;

}  // namespace

// An arena for the length of one run.
class Model::Lease {
 public:
  explicit Lease(Sized& sized) : sized_(sized) {
    const std::lock_guard<std::mutex> lock(sized.mutex);
    if (sized.arenas.empty()) {
      arena_ = AlignedBuffer(sized.plan.arena_floats());
      sized.arenas.reserve(sized.arenas.capacity() + 1);  // so that giving it back cannot fail
    } else {
      arena_ = std::move(sized.arenas.back());
      sized.arenas.pop_back();
    }
  }
  ~Lease() {
    const std::lock_guard<std::mutex> lock(sized_.mutex);
    sized_.arenas.push_back(std::move(arena_));
  }
  float* data() const { return arena_.data(); }

 private:
  Sized& sized_;
  AlignedBuffer arena_;
};

Model::Model(const Graph& graph, const Kernels& kernels, int threads)
    : kernels_(kernels), graph_(fuse(graph)), weights_(graph_, kernels), pool_(threads) {}

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

void Model::run(const float* input, int n, int height, int width, bool softmax, float* output) {
  const std::shared_ptr<Sized> sized = plan_for(height, width);
  const Lease arena(*sized);
  std::unique_lock<std::mutex> pool(pool_mutex_, std::defer_lock);
  if (pool_.threads() > 1) pool.lock();
  const FlushDenormals flush;
  const size_t image = static_cast<size_t>(input_channels()) * height * width, values = sized->plan.output_size();
  for (int i = 0; i < n; i++, input += image, output += values) {
    sized->plan.run(input, output, arena.data(), pool_);
    if (softmax) sn::softmax(output, output_channels());
  }
}

Model::Memory Model::memory() const {
  size_t weights = weights_.bytes(), arenas = 0;
  for (const Op& op : graph_.ops) weights += (op.weights.size() + op.bias.size()) * sizeof(float);
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& sized : plans_) {
    const std::lock_guard<std::mutex> inner(sized->mutex);
    for (const AlignedBuffer& arena : sized->arenas) arenas += arena.size() * sizeof(float);
  }
  return {weights, arenas};
}

}  // namespace sn
