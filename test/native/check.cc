#include "check.h"

#include <chrono>
#include <cmath>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>

#if defined(__SANITIZE_ADDRESS__) || defined(_WIN32)
#define SN_PLAIN_MEMORY
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SN_PLAIN_MEMORY
#endif
#endif
#ifndef SN_PLAIN_MEMORY
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace sn::test {
namespace {

struct Registered {
  const char* promise;
  std::function<void(const Kernels&)> run_with_kernels;
  void (*run)();
};

std::vector<Registered>& registered() {
  static std::vector<Registered> tests;
  return tests;
}

struct Failure {
  std::string message;
};

enum class Guard { kBehind, kBefore } guard;
int one_case_in = 1;
long cases;
char case_text[512];

// Instruction sets that the build has code for, best first.
const std::vector<std::string> kBuiltIsas = {
#if defined(__x86_64__) || defined(_M_X64)
    "avx512", "avx2",
#elif defined(__aarch64__) || defined(__arm__)
#ifdef SN_HALF
    "neonfp16",
#endif
    "neon",
#endif
    "scalar"};

}  // namespace

Test::Test(const char* promise, std::function<void(const Kernels&)> run) {
  registered().push_back({promise, std::move(run), nullptr});
}
Test::Test(const char* promise, void (*run)()) { registered().push_back({promise, nullptr, run}); }

void begin_case(const char* format, ...) {
  cases++;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(case_text, sizeof case_text, format, arguments);
  va_end(arguments);
}

void fail(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Failure{text};
}

bool Random::skip() { return !one_in(one_case_in); }

#ifdef SN_PLAIN_MEMORY

Block::Block(const char*, size_t bytes) : data_(static_cast<char*>(std::malloc(bytes))), bytes_(bytes), mapping_(0) {
  for (size_t i = 0; i + sizeof kUntouched <= bytes; i += sizeof kUntouched) {
    std::memcpy(data_ + i, &kUntouched, sizeof kUntouched);
  }
}
Block::~Block() { std::free(data_); }
bool Block::kept() const { return true; }

#else

namespace {

// Mappings are kept for the next block of their size: millions of blocks are made.
struct Mapping {
  char* pages;  // an inaccessible page lies before and behind
  size_t size;
  bool used;
  const char* name;
  const char* data;
  size_t bytes;
};

std::vector<Mapping> mappings;
const size_t kPage = static_cast<size_t>(sysconf(_SC_PAGESIZE));

char untouched(const char* address) {
  return reinterpret_cast<const char*>(&kUntouched)[reinterpret_cast<uintptr_t>(address) % sizeof kUntouched];
}

int take_mapping(size_t size) {
  for (size_t i = 0; i < mappings.size(); i++) {
    if (!mappings[i].used && mappings[i].size == size) return static_cast<int>(i);
  }
  void* whole = mmap(nullptr, size + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* pages = static_cast<char*>(whole) + kPage;
  if (whole == MAP_FAILED || mprotect(pages, size, PROT_READ | PROT_WRITE)) fail("no memory for a test's buffer");
  mappings.push_back({pages, size, false, nullptr, nullptr, 0});
  return static_cast<int>(mappings.size()) - 1;
}

sigjmp_buf after_fault;

// Kernels own nothing, so a jump out of one leaks only the test's buffers.
void on_fault(int signal, siginfo_t* info, void*) {
  static char text[256];
  std::snprintf(text, sizeof text, "signal %d", signal);
  if (signal == SIGILL) std::snprintf(text, sizeof text, "an instruction that this CPU doesn't have");
  const char* address = static_cast<const char*>(info->si_addr);
  for (const Mapping& m : mappings) {
    if (signal == SIGILL || address < m.pages - kPage || address >= m.pages + m.size + kPage) continue;
    const bool before = address < m.data;
    std::snprintf(text, sizeof text, "touched '%s' %ld bytes %s", m.name,
                  static_cast<long>(before ? m.data - address : address - (m.data + m.bytes) + 1),
                  before ? "before its start" : "past its end");
  }
  std::strcat(case_text, ": ");
  std::strncat(case_text, text, sizeof case_text - std::strlen(case_text) - 1);
  siglongjmp(after_fault, 1);
}

}  // namespace

Block::Block(const char* name, size_t bytes) : bytes_(bytes) {
  mapping_ = take_mapping((bytes + kPage - 1) / kPage * kPage);
  Mapping& m = mappings[mapping_];
  for (size_t i = 0; i < m.size; i += sizeof kUntouched) std::memcpy(m.pages + i, &kUntouched, sizeof kUntouched);
  data_ = guard == Guard::kBehind ? m.pages + m.size - bytes : m.pages;
  m.used = true;
  m.name = name;
  m.data = data_;
  m.bytes = bytes;
}

Block::~Block() {
  if (data_) mappings[mapping_].used = false;
}

bool Block::kept() const {
  const Mapping& m = mappings[mapping_];
  const auto kept = [&](const char* begin, const char* end) {
    for (const char* byte = begin; byte < end; byte++) {
      if (*byte != untouched(byte)) return false;
    }
    return true;
  };
  return kept(m.pages, data_) && kept(data_ + bytes_, m.pages + m.size);
}

#endif

template <class T>
void Output<T>::check() const {
  for (ptrdiff_t i = this->first(); i < this->last(); i++) {
    const T* const place = &(*this)[i];
    const double actual = static_cast<double>(*place);
    const Value expected = expected_[i - this->first()];
    if (expected.tolerance == kAnything) continue;
    if (expected.tolerance < 0) {
      const size_t part = reinterpret_cast<uintptr_t>(place) % sizeof kUntouched;
      if (std::memcmp(place, reinterpret_cast<const char*>(&kUntouched) + part, sizeof *place)) {
        fail("output[%td] was written: %g", i, actual);
      }
    } else if (std::isnan(expected.exact)
                   ? !std::isnan(actual)
                   : actual != expected.exact && !(std::fabs(actual - expected.exact) <= expected.tolerance)) {
      fail("output[%td] is %.9g, not %.9g within %g", i, actual, expected.exact, expected.tolerance);
    }
  }
  if (!this->kept()) fail("wrote beside the output");
}

template class Output<float>;
#ifdef SN_HALF
template class Output<Half>;
#endif

namespace {

// Whether the promise was kept.
bool run(const Registered& test, const Kernels* kernels) {
#ifdef SN_PLAIN_MEMORY
  const std::vector<Guard> guards = {Guard::kBehind};
#else
  const std::vector<Guard> guards = {Guard::kBehind, Guard::kBefore};
#endif
  cases = 0;
  for (Guard g : guards) {
    guard = g;
    std::strcpy(case_text, "before the first case");
    std::string problem;
    try {
#ifndef SN_PLAIN_MEMORY
      if (sigsetjmp(after_fault, 1)) throw Failure{"memory fault"};
#endif
      if (kernels) {
        test.run_with_kernels(*kernels);
      } else {
        test.run();
      }
      continue;
    } catch (const Failure& failure) {
      problem = failure.message;
    } catch (const std::exception& error) {
      problem = std::string("exception: ") + error.what();
    }
    std::printf("FAILED %s%s%s\n       case %ld: %s: %s\n", kernels ? kernels->isa : "", kernels ? ": " : "",
                test.promise, cases, case_text, problem.c_str());
    return false;
  }
  return true;
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    if (std::sscanf(argv[i], "--one-in=%d", &one_case_in) != 1 || one_case_in < 1) {
      std::fprintf(stderr, "usage: %s [--one-in=N]\n", argv[0]);
      return 2;
    }
  }
  // QEMU runs floating point slowly until the inexact flag is up.
  volatile float third = 3.0f;
  third = 1.0f / third;
  std::setvbuf(stdout, nullptr, _IOLBF, 1 << 12);
#ifndef SN_PLAIN_MEMORY
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL}) sigaction(signal, &action, nullptr);
#endif

  int passed = 0, failed = 0, skipped = 0;
  std::string isas, missing;
  for (const std::string& isa : kBuiltIsas) {
    bool found = false;
    for (const Kernels& kernels : available_kernels()) found |= isa == kernels.isa;
    std::string& list = found ? isas : missing;
    list += (list.empty() ? "" : ", ") + isa;
  }
  const int missing_isas = static_cast<int>(kBuiltIsas.size() - available_kernels().size());

  for (const Registered& test : registered()) {
    const auto start = std::chrono::steady_clock::now();
    bool kept = true;
    long total = 0;
    const auto count = [&](bool ok) {
      (ok ? passed : failed)++;
      kept &= ok;
      total += cases;
    };
    if (test.run) {
      count(run(test, nullptr));
    } else {
      for (const Kernels& kernels : available_kernels()) count(run(test, &kernels));
      skipped += missing_isas;
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (kept) std::printf("ok     %s (%ld cases, %.1f s)\n", test.promise, total, seconds.count());
  }
  std::printf("instruction sets tested: %s; not on this CPU: %s\n", isas.c_str(),
              missing.empty() ? "none" : missing.c_str());
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace sn::test

int main(int argc, char** argv) { return sn::test::main(argc, argv); }
