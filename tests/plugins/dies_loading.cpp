// Dies while it is loaded, or only where the environment says so.
#include <cstdio>
#include <cstdlib>
#include <fanmill/plugin.hpp>

static const bool dies = [] {
  const char* const marker = std::getenv("FANMILL_TEST_DIES_ONCE_THERE_IS");
  std::FILE* const file = marker != nullptr ? std::fopen(marker, "r") : nullptr;
  if (marker == nullptr || file != nullptr) {
    std::fputs("cannot find my licence\n", stderr);
    std::abort();
  }
  return false;
}();
FANMILL_FUNCTION(crash, [](int value) {
  if (value == 1) std::abort();
  return value;
})
