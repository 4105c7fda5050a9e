#include "addon/task.h"

#include "core/error.h"

namespace sn {

Task::Task(Napi::Env env, double id)
    : environment_(Environment::of(env)), id_(id), deferred_(Napi::Promise::Deferred::New(env)) {}

Napi::Promise Task::start(std::shared_ptr<Task> task, int times) {
  const Napi::Promise promise = task->promise();
  task->remaining_ = times;
  task->environment_.add(task);
  try {
    Executor::instance().submit(task, times);
  } catch (const std::exception&) {
    task->fail(Failure::current());
    task->leave(times);
  }
  return promise;
}

void Task::run() {
  try {
    if (cancellation_.cancelled()) throw Error(ErrorCode::kCancelled, "the call was cancelled");
    work();
  } catch (...) {
    fail(Failure::current());
  }
  leave(1);
}

void Task::fail(const Failure& failure) {
  cancellation_.cancel();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!failed_) failure_ = failure;
  failed_ = true;
}

void Task::leave(int times) {
  if (remaining_.fetch_sub(times) == times) environment_.finished(this);
}

void Task::settle(Napi::Env env) {
  try {
    try {
      if (!failed_) deferred_.Resolve(result(env));
    } catch (const Napi::Error& error) {  // no memory for the result's object
      deferred_.Reject(error.Value());
    } catch (const std::exception&) {
      fail(Failure::current());
    }
    if (failed_) deferred_.Reject(failure_.to_error(env).Value());
  } catch (const Napi::Error&) {
    // The worker thread is being terminated: no JavaScript runs on it any more, and nobody waits for the promise.
  }
  release(false);
}

Environment::Environment(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "shufflenet");
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                                             nullptr, settle, &to_javascript_);
  if (status != napi_ok) throw_error(env, "ERR_NATIVE", "no way back to JavaScript from other threads");
  napi_unref_threadsafe_function(env, to_javascript_);
  // After the function above, so that this hook runs before the function's own.
  napi_add_env_cleanup_hook(
      env, [](void* self) { static_cast<Environment*>(self)->close(); }, this);
}

void Environment::add(std::shared_ptr<Task> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Task* const key = task.get();
  tasks_.emplace(key, std::move(task));
  // Work in flight keeps the process alive.
  if (tasks_.size() == 1) napi_ref_threadsafe_function(env_, to_javascript_);
}

void Environment::finished(Task* task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  task->finished_ = true;
  if (closing_) {
    idle_.notify_all();
  } else {
    napi_call_threadsafe_function(to_javascript_, task, napi_tsfn_nonblocking);
  }
}

void Environment::settle(napi_env raw, napi_value, void*, void* data) {
  if (!raw) return;  // the environment is going; close() has seen to the task
  const Napi::Env env(raw);
  Environment& self = of(env);
  std::shared_ptr<Task> task;
  {
    const std::lock_guard<std::mutex> lock(self.mutex_);
    const auto it = self.tasks_.find(static_cast<Task*>(data));
    if (it == self.tasks_.end()) return;
    task = std::move(it->second);
    self.tasks_.erase(it);
    if (self.tasks_.empty()) napi_unref_threadsafe_function(env, self.to_javascript_);
  }
  const Napi::HandleScope scope(env);
  task->settle(env);
}

void Environment::cancel(double id) {
  std::shared_ptr<Task> task;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& entry : tasks_) {
      if (entry.second->id_ == id) task = entry.second;
    }
  }
  if (!task) return;
  task->cancellation_.cancel();
  const int waiting = Executor::instance().withdraw(task.get());
  if (waiting == 0) return;
  task->fail({"ERR_ABORTED", "the call was cancelled"});
  task->leave(waiting);
}

void Environment::close() {
  std::unique_lock<std::mutex> lock(mutex_);
  closing_ = true;
  for (const auto& entry : tasks_) entry.second->cancellation_.cancel();
  for (const auto& entry : tasks_) {
    Task& task = *entry.second;
    const int waiting = Executor::instance().withdraw(&task);
    if (waiting > 0 && task.remaining_.fetch_sub(waiting) == waiting) task.finished_ = true;
  }
  for (const auto& entry : tasks_) {
    Task& task = *entry.second;
    idle_.wait(lock, [&] { return task.finished_; });
    task.release(true);
  }
  tasks_.clear();
}

}  // namespace sn
