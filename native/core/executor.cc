#include "core/executor.h"

#include <algorithm>
#include <exception>
#include <thread>

#include "core/processors.h"

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
  if (times == 1) {
    wake_.notify_one();
  } else {
    wake_.notify_all();
  }
}

int Executor::withdraw(const Job* job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto end = std::remove_if(jobs_.begin(), jobs_.end(), [job](const auto& other) { return other.get() == job; });
  const int count = static_cast<int>(jobs_.end() - end);
  jobs_.erase(end, jobs_.end());
  return count;
}

void Executor::work() {
  for (;;) {
    std::shared_ptr<Job> job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      idle_++;
      wake_.wait(lock, [this] { return !jobs_.empty(); });
      idle_--;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job->run();
  }
}

}  // namespace sn
