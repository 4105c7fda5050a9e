// Whether several threads are worth having for a piece of work that is done again and again. Where others use the cores,
// or a hypervisor has put them far from each other's caches, one thread is faster than two. Only time tells: now and then
// the work is done the other way.
#pragma once
#include <chrono>

namespace sn {

class Teamwork {
 public:
  using Duration = std::chrono::duration<double>;

  // Whether one thread shall do the work this time.
  bool alone() {
    const bool better = alone_.count > 0 && alone_.value < together_.value;
    runs_++;
    const bool other_way = better ? runs_ % 16 == 0 : runs_ == 8 || runs_ % 128 == 0;
    return better != other_way;
  }

  void took(bool alone, Duration time) {
    if (runs_ < 4) return;  // caches are cold and helpers asleep
    if (alone) {
      alone_.add(time.count(), 8);
    } else {
      together_.add(time.count(), 32);  // a thread may lose its core now and then
    }
  }

 private:
  struct Average {
    double value = 0;
    int count = 0;
    void add(double sample, int most) {
      if (count < most) count++;
      value += (sample - value) / count;
    }
  };

  Average alone_, together_;  // seconds, of the latest runs
  unsigned runs_ = 0;
};

}  // namespace sn
