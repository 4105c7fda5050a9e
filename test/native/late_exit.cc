// Preloaded into Node.js by test/reliability/exits.ts: the end of the process takes 50 ms longer, after everything static
// is destroyed, so that threads which still use some of it crash every time and not once in a hundred times.
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace {

void late() {
  // What was freed is used again.
  for (size_t bytes = 16; bytes <= 8192; bytes += 16) {
    for (int i = 0; i < 8; i++) {
      if (void* volatile p = std::malloc(bytes)) std::memset(p, 0, bytes);
    }
  }
  usleep(50000);
}

[[maybe_unused]] const int registered = std::atexit(late);

}  // namespace
