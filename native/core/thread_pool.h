// Helpers for one run at a time. Between the steps of a run they spin, for a step takes microseconds and waking a thread
// takes tens of them; then they sleep.
#pragma once
#include <atomic>
#include <condition_variable>
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
  void take_units(int thread);

  std::vector<std::thread> helpers_;
  Work work_ = nullptr;
  void* context_ = nullptr;
  int units_ = 0;
  std::atomic<int> next_{0};
  std::atomic<int> busy_{0};      // helpers that have not finished the present job
  std::atomic<unsigned> job_{0};  // counts jobs
  std::atomic<bool> stop_{false};
  std::atomic<int> sleeping_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace sn
