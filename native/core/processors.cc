#include "core/processors.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

namespace sn {
namespace {

#if defined(__linux__)
// Control group v2: "quota period" or "max period", at every level from the process's own group up.
double quota_v2() {
  std::ifstream groups("/proc/self/cgroup");
  std::string path;
  for (std::string line; std::getline(groups, line);) {
    if (line.rfind("0::", 0) == 0) path = line.substr(3);
  }
  double least = INFINITY;
  for (;;) {
    std::ifstream file("/sys/fs/cgroup" + path + "/cpu.max");
    double quota, period;
    if (file >> quota >> period && period > 0) least = std::min(least, quota / period);
    if (path.empty() || path == "/") return least;
    path.erase(path.find_last_of('/'));
  }
}

double quota_v1() {
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double quota, period;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : INFINITY;
}

double quota() { return std::min(quota_v2(), quota_v1()); }
#else
double quota() { return INFINITY; }
#endif

}  // namespace

int available_processors() {
  static const int processors = [] {
    const int allowed = std::max(1u, std::thread::hardware_concurrency());
    return std::max(1, static_cast<int>(std::min<double>(allowed, std::ceil(quota()))));
  }();
  return processors;
}

}  // namespace sn
