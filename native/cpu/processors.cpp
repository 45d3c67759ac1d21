// processors.cpp: how many processors this process may use, control groups included.
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#include "cpu/pool.h"

namespace cria::cpu {
namespace {

double unlimited() { return HUGE_VAL; }

// Quota of one group directory in processors. Version 2: "cpu.max" holds "quota period" or "max period".
double quota_v2(const std::string &directory) {
  std::ifstream file(directory + "/cpu.max");
  std::string quota;
  double period;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return unlimited();
  return std::strtod(quota.c_str(), nullptr) / period;
}

// Version 1: two files; quota -1 means none.
double quota_v1(const std::string &directory) {
  std::ifstream quota_file(directory + "/cpu.cfs_quota_us"),
      period_file(directory + "/cpu.cfs_period_us");
  double quota, period;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0)
    return unlimited();
  return quota / period;
}

// The least quota from the group of this process up to the root. The group may be named as seen from the host
// while its directory is mounted as the root; the root is therefore always read.
double quota() {
  double least = std::min(quota_v2("/sys/fs/cgroup"), quota_v1("/sys/fs/cgroup/cpu"));
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    for (std::string path = line.substr(second + 1); path.size() > 1;
         path.resize(path.rfind('/'))) {
      if (controllers == ",,") least = std::min(least, quota_v2("/sys/fs/cgroup" + path));
      if (controllers.find(",cpu,") != std::string::npos) {
        least = std::min(least, quota_v1("/sys/fs/cgroup/cpu" + path));
      }
    }
  }
  return least;
}

}  // namespace

int32_t usable_processors() {
  int32_t count = static_cast<int32_t>(std::thread::hardware_concurrency());
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) count = CPU_COUNT(&mask);
  const double cut = std::ceil(quota());
  if (cut < count) count = static_cast<int32_t>(cut);
  return std::max(count, 1);
}

}  // namespace cria::cpu
