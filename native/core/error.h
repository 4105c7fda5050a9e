// The one exception type of the core. Kernels never throw; graph and plan do, and std::bad_alloc may pass through.
#pragma once
#include <stdexcept>
#include <string>

namespace sn {

enum class ErrorCode { kGraph, kTensor, kValue, kInput, kIsa, kCancelled };

struct Error : std::runtime_error {
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code(code) {}
  ErrorCode code;
};

}  // namespace sn
