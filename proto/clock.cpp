#include "proto/clock.hpp"

#include <time.h>

namespace fanmill {

MonoTime mono_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);  // served by the vDSO: no system call
  return MonoTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

std::int64_t unix_now_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace fanmill
