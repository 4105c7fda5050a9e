#include "addon/errors.h"

#include <new>

#include "core/error.h"

namespace sn {
namespace {

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kGraph: return "ERR_NETWORK";
    case ErrorCode::kTensor: return "ERR_WEIGHTS_TENSOR";
    case ErrorCode::kValue: return "ERR_WEIGHTS_VALUE";
    case ErrorCode::kInput: return "ERR_INPUT";
    case ErrorCode::kIsa: return "ERR_ISA";
    case ErrorCode::kCancelled: return "ERR_ABORTED";
  }
  return "ERR_NATIVE";
}

}  // namespace

Failure Failure::current() {
  try {
    throw;
  } catch (const Error& error) {
    return {name_of(error.code), error.what()};
  } catch (const std::bad_alloc&) {
    return {"ERR_MEMORY", {}};  // there may be none for words; to_error() has them
  } catch (const std::exception& error) {
    return {"ERR_NATIVE", error.what()};
  }
}

Napi::Error Failure::to_error(Napi::Env env) const {
  Napi::Error error =
      Napi::Error::New(env, message.empty() ? "out of memory for weights or activations" : message.c_str());
  error.Set("code", code);
  return error;
}

void throw_error(Napi::Env env, const char* code, const std::string& message) {
  throw Failure{code, message}.to_error(env);
}

}  // namespace sn
