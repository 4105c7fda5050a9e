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
  static Napi::Function define(Napi::Env env);

  // createModel(graph, tensors, {threads}): Promise<NativeModel>
  static Napi::Value create(const Napi::CallbackInfo& info);

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<Model> model_;  // null after close()
};

// Of one environment: the addon may be loaded in many worker threads at once.
struct AddonData {
  Napi::FunctionReference model_class;
};

}  // namespace sn
