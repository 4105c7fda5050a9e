// Float storage on a cache line boundary, zeroed where not asked otherwise. Large storage asks for huge pages: kernels go
// through many planes or panels at once, more than a TLB holds pages of 4 KB.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace sn {

constexpr size_t kCacheLine = 64, kHugePage = 2 << 20;

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // Throws std::bad_alloc.
  explicit AlignedBuffer(size_t floats, bool zeroed = true) : floats_(floats) {
    if (floats == 0) return;
    const size_t bytes = floats * sizeof(float);
    const std::align_val_t alignment{bytes < kHugePage ? kCacheLine : kHugePage};
    data_ = Data(static_cast<float*>(::operator new(bytes, alignment)), {alignment});
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    // Only whole pages of the storage's own. Without them it is as right.
    if (bytes >= kHugePage) static_cast<void>(madvise(data_.get(), bytes / kHugePage * kHugePage, MADV_HUGEPAGE));
#endif
    if (zeroed) std::memset(data_.get(), 0, floats * sizeof(float));
  }

  float* data() const { return data_.get(); }
  size_t size() const { return floats_; }

 private:
  struct Free {
    std::align_val_t alignment;
    void operator()(float* p) const { ::operator delete(p, alignment); }
  };
  using Data = std::unique_ptr<float, Free>;
  Data data_{nullptr, {std::align_val_t{kCacheLine}}};
  size_t floats_ = 0;
};

}  // namespace sn
