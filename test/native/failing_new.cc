// Preloaded into Node.js by test/reliability/allocations.ts: operator new fails for the addon, and for nobody else, where
// the file named by FAILING_NEW says. It holds three numbers of 64 bits: the first allocation to fail and the first not to
// any more, counted from 0, and how many the addon has asked for.
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

struct Control {
  int64_t first, last;
  std::atomic<int64_t> asked;
};

Control* open_control() {
  const char* const path = std::getenv("FAILING_NEW");
  const int file = path ? open(path, O_RDWR) : -1;
  if (file < 0) return nullptr;
  void* const memory = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<Control*>(memory);
}

struct Code {
  uintptr_t begin = 0, end = 0;
};

int find_addon(dl_phdr_info* library, size_t, void* code) {
  if (!std::strstr(library->dlpi_name, "shufflenet.node")) return 0;
  for (int i = 0; i < library->dlpi_phnum; i++) {
    const ElfW(Phdr)& part = library->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || !(part.p_flags & PF_X)) continue;
    const uintptr_t begin = library->dlpi_addr + part.p_vaddr;
    *static_cast<Code*>(code) = {begin, begin + part.p_memsz};
  }
  return 1;
}

bool fails(void* caller) {
  static Control* const control = open_control();
  // A run of no failures stands for "not now", above all before the addon is there.
  if (!control || control->first == control->last) return false;
  static const Code addon = [] {
    Code code;
    dl_iterate_phdr(find_addon, &code);
    return code;
  }();
  const auto address = reinterpret_cast<uintptr_t>(caller);
  if (address < addon.begin || address >= addon.end) return false;
  const int64_t n = control->asked++;
  return n >= control->first && n < control->last;
}

void* allocate(size_t bytes, size_t alignment, void* caller) {
  void* p = nullptr;
  if (fails(caller) || posix_memalign(&p, alignment, bytes ? bytes : 1)) throw std::bad_alloc();
  return p;
}

}  // namespace

#define EXPORTED __attribute__((visibility("default")))
EXPORTED void* operator new(size_t bytes) { return allocate(bytes, 16, __builtin_return_address(0)); }
EXPORTED void* operator new[](size_t bytes) { return allocate(bytes, 16, __builtin_return_address(0)); }
EXPORTED void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment), __builtin_return_address(0));
}
EXPORTED void operator delete(void* p) noexcept { std::free(p); }
EXPORTED void operator delete[](void* p) noexcept { std::free(p); }
EXPORTED void operator delete(void* p, size_t) noexcept { std::free(p); }
EXPORTED void operator delete[](void* p, size_t) noexcept { std::free(p); }
EXPORTED void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
