// Float storage on a cache line boundary, zeroed where not asked otherwise.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace sn {

constexpr std::align_val_t kCacheLine{64};

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // Throws std::bad_alloc.
  explicit AlignedBuffer(size_t floats, bool zeroed = true) : floats_(floats) {
    if (floats == 0) return;
    data_.reset(static_cast<float*>(::operator new(floats * sizeof(float), kCacheLine)));
    if (zeroed) std::memset(data_.get(), 0, floats * sizeof(float));
  }

  float* data() const { return data_.get(); }
  size_t size() const { return floats_; }

 private:
  struct Free {
    void operator()(float* p) const { ::operator delete(p, kCacheLine); }
  };
  std::unique_ptr<float, Free> data_;
  size_t floats_ = 0;
};

}  // namespace sn
