// The process's threads for models: runs go here, so that they hold neither Node's main thread nor the four of libuv,
// which files, DNS and image decoding share.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

namespace sn {

// Set from any thread; looked at between pieces of work.
class Cancellation {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

class Job {
 public:
  virtual ~Job() = default;
  // On one of the executor's threads, or on several at once for a job that was submitted several times. Must not throw.
  virtual void run() = 0;
};

class Executor {
 public:
  // One for the process, as many threads as processors, started when first needed. Never destroyed: its threads may not
  // outlive it, and a process that exits does not wait for them.
  static Executor& instance();

  // Runs the job `times` times. Throws where not even one thread can be started, and then runs nothing.
  void submit(const std::shared_ptr<Job>& job, int times = 1);
  // Takes back what has not started; returns how many times.
  int withdraw(const Job* job);
  int threads() const { return most_; }

 private:
  Executor();
  void work();

  const int most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  int started_ = 0, idle_ = 0;
  std::atomic<int> spinning_{0};      // of the idle ones; changed with the mutex held
  std::atomic<bool> waiting_{false};  // whether there are jobs
};

}  // namespace sn
