// Helpers for one run at a time. Between the steps of a run they spin, for a step takes microseconds and waking a thread
// takes tens of them; then they sleep.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace sn {

class ThreadPool {
 public:
  // The calling thread counts as one: threads - 1 helpers are started.
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int threads() const { return static_cast<int>(helpers_.size()) + 1; }

  // Calls work(context, thread, unit) once for every unit in [0, units), thread in [0, threads()), and returns when all
  // are done. Each thread begins with its share, as equal as can be, in the threads' order. Only one caller at a time.
  using Work = void (*)(void* context, int thread, int unit);
  void run(int units, Work work, void* context);

  // Whether the calling thread shall do the next jobs by itself.
  void set_alone(bool alone) { alone_ = alone; }

 private:
  // Units [first, end) of a thread's share that nobody has taken: first in the lower half, end in the upper.
  struct alignas(64) Share {
    std::atomic<uint64_t> left{0};
  };

  void help(int thread);
  bool take(int thread, int of);
  int work(int thread);

  std::vector<std::thread> helpers_;
  // A helper that comes late finds its share taken by others, and nobody waits for it.
  std::vector<Share> shares_;
  // Of the present job. Only who has taken a unit reads them: until that is done they do not change.
  Work work_ = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<int> done_{0};
  alignas(64) std::atomic<bool> stop_{false};
  std::atomic<int> sleeping_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool alone_ = false;
};

}  // namespace sn
