#include "core/thread_pool.h"

#include <exception>

#include "core/flush_denormals.h"

namespace sn {
namespace {

// About 50 microseconds: longer than any step leaves a helper idle, short enough to cost an idle process nothing.
constexpr int kSpins = 2000;

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  try {
    for (int i = 1; i < threads; i++) helpers_.emplace_back(&ThreadPool::help, this, i);
  } catch (const std::exception&) {
    // Fewer helpers than asked (a process limit, no memory) make a run slower, not wrong.
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadPool::take_units(int thread) {
  for (int unit; (unit = next_.fetch_add(1, std::memory_order_relaxed)) < units_;) work_(context_, thread, unit);
}

void ThreadPool::run(int units, Work work, void* context) {
  if (units == 1 || helpers_.empty()) {
    for (int unit = 0; unit < units; unit++) work(context, 0, unit);
    return;
  }
  work_ = work;
  context_ = context;
  units_ = units;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<int>(helpers_.size()), std::memory_order_relaxed);
  job_.fetch_add(1);
  if (sleeping_.load() > 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }
  take_units(0);
  for (int spins = 0; busy_.load(std::memory_order_acquire) > 0; spins++) {
    // A helper without a core of its own needs this one.
    if (spins < kSpins) {
      relax();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::help(int thread) {
  const FlushDenormals flush;
  unsigned seen = 0;
  for (;;) {
    for (int spins = 0; spins < kSpins && job_.load(std::memory_order_acquire) == seen && !stop_; spins++) relax();
    if (job_.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      sleeping_.fetch_add(1);
      wake_.wait(lock, [&] { return stop_ || job_.load() != seen; });
      sleeping_.fetch_sub(1);
    }
    if (stop_) return;
    seen = job_.load(std::memory_order_acquire);
    take_units(thread);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace sn
