#include "core/thread_pool.h"

#include <algorithm>
#include <exception>

#include "core/flush_denormals.h"
#include "core/spin.h"

namespace sn {
ThreadPool::ThreadPool(int threads) : shares_(threads) {
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

// The owner of a share takes its first unit, others its last, which is next to theirs.
bool ThreadPool::take(int thread, int of) {
  std::atomic<uint64_t>& share = shares_[of].left;
  uint64_t left = share.load(std::memory_order_acquire), rest;
  uint32_t unit;
  do {
    const uint32_t first = static_cast<uint32_t>(left), end = static_cast<uint32_t>(left >> 32);
    if (first == end) return false;
    unit = of == thread ? first : end - 1;
    rest = of == thread ? left + 1 : left - (uint64_t{1} << 32);
  } while (!share.compare_exchange_weak(left, rest, std::memory_order_acq_rel, std::memory_order_acquire));
  work_(context_, thread, static_cast<int>(unit));
  return true;
}

// Returns how many units it has done.
int ThreadPool::work(int thread) {
  int count = 0;
  for (int i = 0; i < threads(); i++) {
    while (take(thread, (thread + i) % threads())) count++;
  }
  return count;
}

void ThreadPool::run(int units, Work work, void* context) {
  if (units == 1 || helpers_.empty() || alone_) {
    for (int unit = 0; unit < units; unit++) work(context, 0, unit);
    return;
  }
  work_ = work;
  context_ = context;
  done_.store(0, std::memory_order_relaxed);
  for (int i = threads() - 1; i >= 0; i--) {
    const auto first_of = [&](int thread) { return static_cast<uint64_t>(units) * thread / threads(); };
    shares_[i].left.store(first_of(i + 1) << 32 | first_of(i));
  }
  if (sleeping_.load() > 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }
  done_.fetch_add(this->work(0), std::memory_order_relaxed);
  // A helper that has lost its core in the middle of a unit needs one to go on.
  for (int spins = 0; done_.load(std::memory_order_acquire) < units;) {
    if (spins < kSpins) {
      relax();
      spins++;
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::help(int thread) {
  const FlushDenormals flush;
  const auto called = [&] {
    const uint64_t left = shares_[thread].left.load();
    return stop_ || static_cast<uint32_t>(left) != left >> 32;
  };
  while (!stop_) {
    for (int spins = 0; spins < kSpins; spins++) {
      if (called()) {
        done_.fetch_add(work(thread), std::memory_order_release);
        spins = 0;
      }
      if (stop_) return;
      relax();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    sleeping_.fetch_add(1);
    wake_.wait(lock, called);
    sleeping_.fetch_sub(1);
  }
}

}  // namespace sn
