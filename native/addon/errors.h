// The core's errors as JavaScript ones, with the codes of lib/errors.ts.
#pragma once
#include <napi.h>

#include <string>

namespace sn {

// An Error with message and code for what is being handled; call inside a catch block.
struct Failure {
  const char* code;
  std::string message;

  static Failure current();
  Napi::Error to_error(Napi::Env env) const;
};

// Throws a JavaScript Error with this code.
[[noreturn]] void throw_error(Napi::Env env, const char* code, const std::string& message);

}  // namespace sn
