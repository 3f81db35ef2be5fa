// Functions that do to their executor what nobody should. Each does it where `do_it` says so.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fanmill/plugin.hpp>
#include <iostream>
#include <system_error>

namespace {
struct Odd {};
}  // namespace

FANMILL_FUNCTION(throws, [](int do_it) {
  if (do_it == 1) throw std::runtime_error("the value is out of stock");
  if (do_it == 2) throw 5;
  if (do_it == 3) throw Odd{};
  if (do_it == 4) throw fanmill::BadArguments("do_it is never 4");
  return do_it;
})
FANMILL_FUNCTION(aborts, [](int do_it) {
  if (do_it == 1) {
    std::fputs("last words\n", stderr);
    std::abort();
  }
  return do_it;
})
FANMILL_FUNCTION(segfaults, [](int do_it) {
  if (do_it == 1) std::raise(SIGSEGV);
  return do_it;
})
FANMILL_FUNCTION(loops, [](int do_it) {
  volatile bool on = do_it == 1;
  while (on) {
  }
  return do_it;
})
FANMILL_FUNCTION(prints, [](int value) {
  std::printf("out %d\n", value);
  std::cout << "cout " << value << '\n';
  std::cerr << "err " << value << '\n';
  usleep(100);  // long enough for a report of its own
})
FANMILL_FUNCTION(leaks, [](int value) {
  for (int i = 0; i < 100; ++i) {
    if (open("/dev/null", O_RDONLY) < 0) {
      throw std::system_error(errno, std::generic_category(), "/dev/null");
    }
  }
  return value;
})
FANMILL_FUNCTION(exits, [](int do_it) {
  if (do_it == 1) std::exit(7);
  if (do_it == 2) std::exit(0);
  return do_it;
})
FANMILL_FUNCTION(closes_3, [](int value) {
  close(3);
  return value;
})
FANMILL_FUNCTION(closes_all, [](int do_it) {
  if (do_it == 1) {
    close_range(3, ~0U, 0);
  }
  return do_it;
})
FANMILL_FUNCTION(takes_over_1, [](const std::string& file) {
  close(1);
  open(file.c_str(), O_WRONLY | O_APPEND);
  std::puts("appended");
})
FANMILL_FUNCTION(bad_text, []() -> int { throw std::runtime_error("not \xff UTF-8"); })
