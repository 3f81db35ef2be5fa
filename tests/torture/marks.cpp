// What the tasks of tests/torture call: each leaves a line in a file when it has run, so that it
// can be counted.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fanmill/plugin.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

namespace {

constexpr double kLong = 0.5;  // seconds

// The file JOB in the folder FANMILL_MARKS, open for appending.
class MarkFile {
 public:
  MarkFile() = default;
  MarkFile(const MarkFile&) = delete;
  MarkFile& operator=(const MarkFile&) = delete;
  ~MarkFile() { close(); }

  void append(const std::string& job, const std::string& line) {
    if (job != job_) {
      open(job);
    }
    // One write: a kill leaves the whole line or nothing.
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      throw std::system_error(errno, std::generic_category(), "the file of marks");
    }
  }

 private:
  void open(const std::string& job) {
    close();
    const char* folder = std::getenv("FANMILL_MARKS");
    if (folder == nullptr) {
      throw std::runtime_error("FANMILL_MARKS names no folder");
    }
    fd_ = ::open((std::string(folder) + "/" + job).c_str(),
                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd_ < 0) {
      throw std::system_error(errno, std::generic_category(), "the file of marks");
    }
    job_ = job;
  }

  void close() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
    fd_ = -1;
    job_.clear();
  }

  std::string job_;
  int fd_ = -1;
};

}  // namespace

// JOB/NAME: runs for so long, leaves the line NAME, and gives the text back. A long one leaves it
// in JOB.begun too, when it begins.
FANMILL_FUNCTION(marked, [](double seconds, const std::string& text) {
  static MarkFile begun;
  static MarkFile ended;
  const auto slash = text.find('/');
  if (slash == std::string::npos) {
    throw fanmill::BadArguments("text is JOB/NAME");
  }
  const std::string job = text.substr(0, slash);
  const std::string line = text.substr(slash + 1) + "\n";
  if (seconds >= kLong) {
    begun.append(job + ".begun", line);
  }
  if (seconds > 0) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }
  ended.append(job, line);
  return text;
})
