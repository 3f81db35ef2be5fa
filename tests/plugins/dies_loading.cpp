// Dies while it is loaded, or only where the environment says so.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fanmill/plugin.hpp>

static const bool dies = [] {
  const char* const marker = std::getenv("FANMILL_TEST_DIES_ONCE_THERE_IS");
  std::FILE* const file = marker != nullptr ? std::fopen(marker, "r") : nullptr;
  if (marker == nullptr || file != nullptr) {
    std::fputs("cannot find my licence\n", stderr);
    const char* const number = std::getenv("FANMILL_TEST_DIES_BY");
    std::raise(number != nullptr ? std::atoi(number) : SIGABRT);
  }
  return false;
}();
FANMILL_FUNCTION(crash, [](int value) {
  if (value == 1) std::abort();
  return value;
})
