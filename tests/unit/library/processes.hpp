// Child processes of the test program, as /proc shows them.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

// Living children of this process whose program has this name (at most 15 characters count).
inline std::vector<pid_t> children_named(const std::string& name) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string number = entry.path().filename().string();
    if (number.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    const auto open = stat.find('(');
    const auto close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos || stat.size() < close + 5)
      continue;
    const char state = stat[close + 2];
    const pid_t parent = std::stoi(stat.substr(close + 4));
    if (parent == getpid() && state != 'Z' &&
        stat.substr(open + 1, close - open - 1) == name.substr(0, 15)) {
      found.push_back(std::stoi(number));
    }
  }
  return found;
}

// Whether `fact` became true in time.
inline bool wait_until(const std::function<bool()>& fact) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!fact()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}
