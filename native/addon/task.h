// Work behind a promise: done on the executor's threads, settled on the JavaScript thread that asked.
#pragma once
#include <napi.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "addon/errors.h"
#include "core/executor.h"

namespace sn {

class Environment;

class Task : public Job {
 public:
  // id: by which cancel() finds it; not in use by another task of the environment.
  Task(Napi::Env env, double id);
  Napi::Promise promise() const { return deferred_.Promise(); }
  // Has work() called `times` times, on as many threads as are free. Call once.
  static Napi::Promise start(std::shared_ptr<Task> task, int times = 1);

 protected:
  // May throw: the first failure is the promise's, and cancels the other calls.
  virtual void work() = 0;
  virtual Napi::Value result(Napi::Env env) = 0;
  // Lets go of JavaScript's objects, on their thread: the task itself may end on another. With `suppress` set they are
  // going with their environment and must not be touched.
  virtual void release(bool suppress) = 0;
  const Cancellation& cancellation() const { return cancellation_; }

 private:
  friend class Environment;
  void run() final;
  void fail(const Failure& failure);
  // `times` calls of work() have ended or will not happen.
  void leave(int times);
  void settle(Napi::Env env);

  Environment& environment_;
  const double id_;
  Napi::Promise::Deferred deferred_;
  Cancellation cancellation_;
  std::atomic<int> remaining_{0};
  std::mutex mutex_;
  bool failed_ = false;
  Failure failure_{};
  bool finished_ = false;  // guarded by the environment's mutex
};

// The addon in one JavaScript environment: it may be loaded in many worker threads at once.
class Environment {
 public:
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // The task's promise rejects as soon as its threads notice; nothing happens where it has settled.
  void cancel(double id);

  Napi::FunctionReference model_class;

 private:
  friend class Task;
  void add(std::shared_ptr<Task> task);
  void finished(Task* task);  // from any thread
  static void settle(napi_env env, napi_value, void*, void* task);
  // Before the environment goes, which may be in the middle of runs: tasks write into memory that goes with it.
  void close();

  napi_env env_;
  napi_threadsafe_function to_javascript_ = nullptr;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::map<Task*, std::shared_ptr<Task>> tasks_;
  bool closing_ = false;
};

}  // namespace sn
