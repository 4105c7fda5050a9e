#include "core/thread_pool.h"

#include <algorithm>
#include <exception>

#include "core/flush_denormals.h"
#include "core/spin.h"

namespace sn {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPatience{1};

// Jobs: of one run, of some thirty.
constexpr int kLeastAlone = 64, kMostAlone = 2048;

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

bool ThreadPool::take_unit(int thread) {
  uint64_t left = left_.load(std::memory_order_acquire);
  do {
    if (static_cast<uint32_t>(left) == 0) return false;
  } while (!left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire));
  work_(context_, thread, units_ - static_cast<int>(static_cast<uint32_t>(left)));
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

// A helper that has lost its core in the middle of a unit holds up the run for as long as the system likes. Where that
// happens the cores are somebody else's, so the next jobs are done without helpers, more of them each time.
void ThreadPool::wait_for(int units, Clock::duration own) {
  int spins = 0;
  for (; done_.load(std::memory_order_acquire) < units && spins < kSpins; spins++) relax();
  if (spins < kSpins) {
    if (++good_ >= kMostAlone) penance_ = 0;
    return;
  }
  // One unit takes no longer than all that this thread has done, unless the core is lost.
  const Clock::time_point limit = Clock::now() + std::max<Clock::duration>(own, kPatience);
  while (done_.load(std::memory_order_acquire) < units) std::this_thread::yield();
  if (Clock::now() < limit) return;
  alone_ = penance_ = std::clamp(2 * penance_, kLeastAlone, kMostAlone);
  good_ = 0;
}

void ThreadPool::run(int units, Work work, void* context) {
  if (units == 1 || helpers_.empty() || alone_ > 0) {
    if (alone_ > 0) alone_--;
    for (int unit = 0; unit < units; unit++) work(context, 0, unit);
    return;
  }
  const Clock::time_point begin = Clock::now();
  work_ = work;
  context_ = context;
  units_ = units;
  done_.store(0, std::memory_order_relaxed);
  const uint64_t job = (left_.load(std::memory_order_relaxed) >> 32) + 1;
  left_.store(job << 32 | static_cast<uint32_t>(units));
  if (sleeping_.load() > 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }
  while (take_unit(0)) continue;
  wait_for(units, Clock::now() - begin);
}

void ThreadPool::help(int thread) {
  const FlushDenormals flush;
  const auto called = [&] { return stop_ || static_cast<uint32_t>(left_.load()) > 0; };
  while (!stop_) {
    for (int spins = 0; spins < kSpins; spins++) {
      if (take_unit(thread)) spins = 0;
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
