// The addon's functions: lib/native/types.ts, NativeBinding.
#include <napi.h>

#include "addon/errors.h"
#include "addon/native_model.h"
#include "addon/task.h"
#include "kernels/kernels.h"
#include "plan/profile.h"

namespace sn {
namespace {

Napi::Value backend(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object result = Napi::Object::New(env);
  try {
    result.Set("isa", select_kernels().isa);
  } catch (const std::exception&) {
    throw Failure::current().to_error(env);
  }
  Napi::Array available = Napi::Array::New(env);
  for (const Kernels& kernels : available_kernels()) available.Set(available.Length(), kernels.isa);
  result.Set("available", available);
  result.Set("processors", Executor::instance().threads());
  return result;
}

Napi::Value peak(const Napi::CallbackInfo& info) {
  try {
    return Napi::Number::New(info.Env(), measure_peak(select_kernels().peak));
  } catch (const std::exception&) {
    throw Failure::current().to_error(info.Env());
  }
}

void cancel(const Napi::CallbackInfo& info) {
  if (info[0].IsNumber()) Environment::of(info.Env()).cancel(info[0].As<Napi::Number>().DoubleValue());
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment(env);
  env.SetInstanceData(environment);
  environment->model_class = Napi::Persistent(NativeModel::define(env));
  exports.Set("backend", Napi::Function::New(env, backend));
  exports.Set("peak", Napi::Function::New(env, peak));
  exports.Set("createModel", Napi::Function::New(env, NativeModel::create));
  exports.Set("cancel", Napi::Function::New(env, cancel));
  return exports;
}

NODE_API_MODULE(shufflenet, init)

}  // namespace
}  // namespace sn
