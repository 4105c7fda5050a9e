#include "core/executor.h"

#include <algorithm>
#include <exception>
#include <thread>

#include "core/processors.h"
#include "core/spin.h"

namespace sn {

Executor& Executor::instance() {
  static Executor* const executor = new Executor;
  return *executor;
}

Executor::Executor() : most_(available_processors()) {}

void Executor::submit(const std::shared_ptr<Job>& job, int times) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const size_t before = jobs_.size();
  try {
    for (int i = 0; i < times; i++) jobs_.push_back(job);
  } catch (const std::bad_alloc&) {
    jobs_.resize(before);
    throw;
  }
  for (int wanted = static_cast<int>(jobs_.size()) - idle_; wanted > 0 && started_ < most_; wanted--) {
    try {
      std::thread(&Executor::work, this).detach();
      started_++;
    } catch (const std::exception&) {  // no thread, or no memory for one
      if (started_ > 0) break;         // the others will come to it
      jobs_.resize(before);
      throw;
    }
  }
  waiting_ = true;
  times -= spinning_;
  if (times == 1) {
    wake_.notify_one();
  } else if (times > 1) {
    wake_.notify_all();
  }
}

int Executor::withdraw(const Job* job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto end = std::remove_if(jobs_.begin(), jobs_.end(), [job](const auto& other) { return other.get() == job; });
  const int count = static_cast<int>(jobs_.end() - end);
  jobs_.erase(end, jobs_.end());
  waiting_ = !jobs_.empty();
  return count;
}

void Executor::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    idle_++;
    if (jobs_.empty() && spinning_ == 0) {
      // Who makes one call after another makes the next at once.
      spinning_++;
      lock.unlock();
      for (int spins = 0; spins < kSpins && !waiting_; spins++) relax();
      lock.lock();
      spinning_--;
    }
    wake_.wait(lock, [this] { return !jobs_.empty(); });
    idle_--;
    std::shared_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    waiting_ = !jobs_.empty();
    lock.unlock();
    job->run();
    job.reset();
    lock.lock();
  }
}

}  // namespace sn
