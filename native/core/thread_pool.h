// Helpers for one run at a time. Between the steps of a run they spin, for a step takes microseconds and waking a thread
// takes tens of them; then they sleep.
#pragma once
#include <atomic>
#include <chrono>
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
  // are done. Only one caller at a time.
  using Work = void (*)(void* context, int thread, int unit);
  void run(int units, Work work, void* context);

 private:
  void help(int thread);
  bool take_unit(int thread);
  void wait_for(int units, std::chrono::steady_clock::duration own);

  std::vector<std::thread> helpers_;
  // Of the present job. Only who has taken a unit reads them: until that is done they do not change.
  Work work_ = nullptr;
  void* context_ = nullptr;
  int units_ = 0;
  // The job's number, and in the lower half its units that nobody has taken: a helper that comes late takes nothing, and
  // nobody waits for it.
  alignas(64) std::atomic<uint64_t> left_{0};
  alignas(64) std::atomic<int> done_{0};
  alignas(64) std::atomic<bool> stop_{false};
  std::atomic<int> sleeping_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  // Jobs to do without helpers, how many such jobs the last disappointment brought, and good jobs since.
  int alone_ = 0, penance_ = 0, good_ = 0;
};

}  // namespace sn
