// A descriptor that is read without ever waiting for it.
#pragma once

#include <cstddef>
#include <string>

#include "proto/error.hpp"

namespace fanmill::producer {

class InputFd {
 public:
  // `name` is how errors call it. Closes `fd` at the end unless it is standard input.
  InputFd(int fd, std::string name);
  InputFd(InputFd&& other) noexcept;
  InputFd(const InputFd&) = delete;
  InputFd& operator=(const InputFd&) = delete;
  InputFd& operator=(InputFd&&) = delete;
  ~InputFd();

  enum class State : unsigned char { kData, kNothingNow, kEnd };
  struct Read {
    State state;
    std::size_t bytes;
  };
  // kSystem where the system refuses.
  Result<Read> read_some(char* to, std::size_t size);

  bool is_regular_file() const;
  int fd() const { return fd_; }
  const std::string& name() const { return name_; }

 private:
  int fd_;
  std::string name_;
};

// "FILE, line 3, column 7: reason", as every error about a row of the input reads. Column 0: not
// known.
Error row_error(const std::string& name, std::uint64_t line, std::uint64_t column,
                const std::string& reason);

}  // namespace fanmill::producer
