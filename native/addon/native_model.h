// The JavaScript object around a Model: lib/native/types.ts, NativeModel.
#pragma once
#include <napi.h>

#include <memory>

#include "plan/model.h"

namespace sn {

class NativeModel : public Napi::ObjectWrap<NativeModel> {
 public:
  // Only for create(): the constructor takes the model as an external.
  explicit NativeModel(const Napi::CallbackInfo& info);
  ~NativeModel();
  static Napi::Function define(Napi::Env env);

  // createModel(id, graph, tensors, {threads, precision}): Promise<NativeModel>
  static Napi::Value create(const Napi::CallbackInfo& info);

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  void run_sync(const Napi::CallbackInfo& info);
  Napi::Value profile(const Napi::CallbackInfo& info);
  Napi::Value isa(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  // Tells the garbage collector what hangs on this object.
  void report(Napi::Env env, int64_t bytes);
  void drop();

  std::shared_ptr<Model> model_;  // null after close()
  int64_t reported_ = 0;
};

}  // namespace sn
