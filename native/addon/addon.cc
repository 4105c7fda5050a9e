// The addon's two functions: lib/native/types.ts, NativeBinding.
#include <napi.h>

#include "addon/errors.h"
#include "addon/native_model.h"
#include "kernels/kernels.h"

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
  return result;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData{Napi::Persistent(NativeModel::define(env))};
  env.SetInstanceData(data);
  exports.Set("backend", Napi::Function::New(env, backend));
  exports.Set("createModel", Napi::Function::New(env, NativeModel::create));
  return exports;
}

NODE_API_MODULE(shufflenet, init)

}  // namespace
}  // namespace sn
