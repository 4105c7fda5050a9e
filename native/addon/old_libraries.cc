// What lets the addon load where C libraries are older than the one it is built with: Node.js 20 runs with glibc 2.28, and
// Raspberry Pi OS of 2021 has 2.31, but what Debian 12 builds asks for 2.34 and for libstdc++ of GCC 12. The symbols behind
// that are few, and defined here, hidden, in terms of older ones. scripts/check-addon.cjs finds any that are added.
// Linking libstdc++ statically would not do: its own threads ask for glibc 2.34, and it makes the addon three times as
// large.
#include <cstdint>  // and with it, __GLIBC__

#if defined(__GLIBC__)
#include <pthread.h>
#include <time.h>

#include <condition_variable>
#include <mutex>
#include <new>

#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#elif defined(__arm__)
#define OLDEST "GLIBC_2.4"
#endif

#define STANDS_FOR(symbol) __asm__(symbol) __attribute__((visibility("hidden")))

namespace sn {

// Of glibc 2.32. shared_ptr reads it; false is always right: reference counts are atomic.
extern const char single_threaded STANDS_FOR("__libc_single_threaded");
const char single_threaded = 0;

// Of GCC 11.
[[noreturn]] void throw_bad_array_new_length() STANDS_FOR("_ZSt28__throw_bad_array_new_lengthv");
void throw_bad_array_new_length() { throw std::bad_array_new_length(); }

// Of GCC 12: std::condition_variable::wait() that is noexcept.
void wait(std::condition_variable* self, std::unique_lock<std::mutex>& lock)
    STANDS_FOR("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE");
void wait(std::condition_variable* self, std::unique_lock<std::mutex>& lock) {
  pthread_cond_wait(self->native_handle(), lock.mutex()->native_handle());
}

// Of glibc 2.30: std::condition_variable::wait_for(). Its callers ask the clock again.
int cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until)
    STANDS_FOR("pthread_cond_clockwait");
int cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  constexpr int64_t kSecond = 1'000'000'000;
  timespec now, wall;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &wall);
  const int64_t left = (until->tv_sec - now.tv_sec) * kSecond + until->tv_nsec - now.tv_nsec;
  const int64_t end = wall.tv_sec * kSecond + wall.tv_nsec + (left > 0 ? left : 0);
  timespec wall_until;
  wall_until.tv_sec = static_cast<time_t>(end / kSecond);
  wall_until.tv_nsec = static_cast<long>(end % kSecond);
  return pthread_cond_timedwait(condition, mutex, &wall_until);
}

#if defined(OLDEST)
// The one of glibc 2.27 reports errors in another way, which nobody asks for here.
float old_expf(float x);
__asm__(".symver _ZN2sn8old_expfEf, expf@" OLDEST);
float new_expf(float x) STANDS_FOR("expf");
float new_expf(float x) { return old_expf(x); }
#endif

}  // namespace sn
#endif
