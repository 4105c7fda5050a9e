#include "core/processors.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#endif

namespace sn {
namespace {

#if defined(__linux__)
// std::thread::hardware_concurrency() counts processors that are online, whoever may use them.
int allowed() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

// Where the process is in the hierarchy of this controller, or in version 2's, which names none.
std::string group_of(const std::string& controller) {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers.find("," + controller + ",") != std::string::npos) return line.substr(second + 1);
  }
  return "";
}

// The least at any level, from this group up.
double least(std::string group, double (*quota)(const std::string& group)) {
  for (double result = INFINITY;;) {
    result = std::min(result, quota(group));
    if (group.empty() || group == "/") return result;
    group.erase(group.find_last_of('/'));
  }
}

// "quota period" or "max period".
double quota_v2(const std::string& group) {
  std::ifstream file("/sys/fs/cgroup" + group + "/cpu.max");
  double quota, period;
  return file >> quota >> period && period > 0 ? quota / period : INFINITY;
}

double quota_v1(const std::string& group) {
  const std::string folder = "/sys/fs/cgroup/cpu" + group;
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota, period;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : INFINITY;
}

double quota() { return std::min(least(group_of(""), quota_v2), least(group_of("cpu"), quota_v1)); }
#else
int allowed() { return 0; }
double quota() { return INFINITY; }
#endif

}  // namespace

int available_processors() {
  static const int processors = [] {
    const int known = allowed() > 0 ? allowed() : static_cast<int>(std::thread::hardware_concurrency());
    return static_cast<int>(std::max(1.0, std::min<double>(known, std::ceil(quota()))));
  }();
  return processors;
}

}  // namespace sn
