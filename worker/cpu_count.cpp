#include "worker/cpu_count.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "proto/limits.hpp"

namespace fanmill::worker {
namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

double quota_v2(const std::string& directory) {
  std::ifstream file(directory + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return kNoQuota;
  return std::strtod(quota.c_str(), nullptr) / period;
}

double quota_v1(const std::string& directory) {
  std::ifstream quota_file(directory + "/cpu.cfs_quota_us");
  std::ifstream period_file(directory + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) {
    return kNoQuota;
  }
  return quota / period;
}

// The tightest quota from the group up to the root: each of them binds.
template <class Quota>
double tightest(const std::string& root, std::string group, Quota quota) {
  double least = kNoQuota;
  while (true) {
    least = std::min(least, quota(root + group));
    const std::size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) return least;
    group.resize(slash);
  }
}

double cgroup_quota() {
  double least = kNoQuota;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "ID:controllers:/path"
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    const std::string group = line.substr(second + 1) == "/" ? "" : line.substr(second + 1);
    if (controllers.str().empty()) {
      least = std::min(least, tightest("/sys/fs/cgroup", group, quota_v2));
      continue;
    }
    for (std::string controller; std::getline(controllers, controller, ',');) {
      if (controller != "cpu") continue;
      least = std::min(least, tightest("/sys/fs/cgroup/cpu", group, quota_v1));
    }
  }
  return least;
}

}  // namespace

std::uint32_t usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  double cores = 1;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) cores = CPU_COUNT(&allowed);
  // Part of a core is worth a slot of its own.
  cores = std::min(cores, std::ceil(cgroup_quota()));
  return static_cast<std::uint32_t>(std::clamp(cores, 1.0, double{limits::kSlotsMax}));
}

}  // namespace fanmill::worker
