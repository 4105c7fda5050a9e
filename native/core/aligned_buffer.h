// Zeroed float storage on a cache line boundary.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace sn {

constexpr size_t kCacheLine = 64;

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t floats) : floats_(floats) {
    if (floats == 0) return;
    const size_t bytes = (floats * sizeof(float) + kCacheLine - 1) / kCacheLine * kCacheLine;
#if defined(_WIN32)
    data_.reset(static_cast<float*>(_aligned_malloc(bytes, kCacheLine)));
#else
    void* p = nullptr;
    if (posix_memalign(&p, kCacheLine, bytes) == 0) data_.reset(static_cast<float*>(p));
#endif
    if (!data_) throw std::bad_alloc();
    std::memset(data_.get(), 0, bytes);
  }

  float* data() const { return data_.get(); }
  size_t size() const { return floats_; }

 private:
  struct Free {
    void operator()(float* p) const {
#if defined(_WIN32)
      _aligned_free(p);
#else
      std::free(p);
#endif
    }
  };
  std::unique_ptr<float, Free> data_;
  size_t floats_ = 0;
};

}  // namespace sn
