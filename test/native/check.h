// Tests of the C++ core: a test is a promise in words and a function that fails where it is not kept. Every test runs
// twice, once for each Guard of its buffers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <vector>

#include "kernels/kernels.h"

namespace sn::test {

struct Test {
  Test(const char* promise, std::function<void(const Kernels&)> run);  // for each instruction set that this CPU has
  Test(const char* promise, void (*run)());
};

// One for the kernels of each instruction set: run(const KernelSet<float>&), or of Half where they compute with halves.
struct KernelTest : Test {
  template <class Run>
  KernelTest(const char* promise, Run run)
      : Test(promise, [run](const Kernels& kernels) {
          with_element(kernels.halves != nullptr, [&](auto* element) { run(kernels.of(element)); });
        }) {}
};

// Starts the next case of a sweep: the text is printed if it fails.
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void begin_case(const char* format, ...);

// Ends the test.
[[noreturn]]
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void fail(const char* format, ...);

// The same numbers on every platform, which the distributions of <random> don't promise.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  int between(int low, int high) { return low + static_cast<int>(next() % (high - low + 1)); }  // both included
  bool one_in(int n) { return between(1, n) == 1; }
  float value() { return static_cast<float>(between(-(1 << 20), 1 << 20)) / (1 << 20); }  // -1 to 1
  // As value(), for elements of type T. Halves are quarters: products are sixteenths then, and sums of these are exact in
  // the 11 bits of a half while they are below 128, which is eight standard deviations of a sum of 1000 products.
  template <class T>
  float value() {
    return std::is_same_v<T, float> ? value() : static_cast<float>(between(-4, 4)) / 4;
  }
  // Whether a sweep should leave its next case out: with --one-in=N, for emulators, it runs one in N.
  bool skip();
  template <class T>
  T pick(const std::vector<T>& values) {
    return values[between(0, static_cast<int>(values.size()) - 1)];
  }

 private:
  uint32_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<uint32_t>(z >> 32);
  }
  uint64_t state_;
};

// Memory that faults where a kernel touches what its contract doesn't give it: an inaccessible page lies directly behind
// or directly before. What is left of the pages on the other side holds a pattern that kept() looks at. Under
// AddressSanitizer, plain memory: it watches both ends itself.
class Block {
 public:
  Block(const char* name, size_t bytes);
  ~Block();
  Block(Block&& other) : data_(other.data_), bytes_(other.bytes_), mapping_(other.mapping_) { other.data_ = nullptr; }
  char* data() const { return data_; }
  bool kept() const;

 private:
  char* data_;
  size_t bytes_;
  int mapping_;
};

// Fills what nobody has written: a NaN, so that arithmetic on it shows, of a payload that no arithmetic makes; and so are
// both of its halves.
constexpr uint32_t kUntouched = 0x7fc57e5a;

// Elements [first, last) of an array; the others don't exist.
template <class T>
class Buffer {
 public:
  Buffer(const char* name, ptrdiff_t first, ptrdiff_t last)
      : block_(name, (last - first) * sizeof(T)), first_(first), last_(last) {}
  // Address of element 0. Through an integer, as that element may not exist.
  T* array() const {
    return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(block_.data()) -
                                first_ * static_cast<ptrdiff_t>(sizeof(T)));
  }
  T& operator[](ptrdiff_t i) const { return reinterpret_cast<T*>(block_.data())[i - first_]; }
  ptrdiff_t first() const { return first_; }
  ptrdiff_t last() const { return last_; }
  bool kept() const { return block_.kept(); }

 private:
  Block block_;
  ptrdiff_t first_, last_;
};

// The exact value of an output and how far floats may stray from it.
struct Value {
  double exact, tolerance;
};

template <class T>
class Output : public Buffer<T> {
 public:
  Output(ptrdiff_t first, ptrdiff_t last) : Buffer<T>("output", first, last), expected_(last - first, {0, -1}) {}
  void expect(ptrdiff_t i, Value value) { expected_[i - this->first()] = value; }
  // Slack, which may hold anything afterwards.
  void ignore(ptrdiff_t i) { expected_[i - this->first()] = {0, kAnything}; }
  // Fails unless all expected values are there and nothing else was written.
  void check() const;

 private:
  static constexpr double kAnything = -2;
  std::vector<Value> expected_;
};

}  // namespace sn::test
