// The one thread that formats rows and writes them, and the only place of the program that may wait
// for a slow reader of its output. What it has not written is not acknowledged, so the broker's
// window bounds what waits here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "producer/failure_report.hpp"
#include "producer/session.hpp"
#include "producer/writers.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

class WriterThread {
 public:
  // Writes to `fd`, which stays the caller's and is called `name` in messages. Signals must be
  // blocked already.
  WriterThread(int fd, std::string name, std::unique_ptr<RowWriter> writer, FailureReport& failures,
               Console& console);
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;
  ~WriterThread();  // writes what is left, waits for the thread

  void take(RowsArrived rows);
  void finish();  // nothing follows: write the end of the output

  // Readable whenever progress() may say something else.
  int event_fd() const;
  struct Progress {
    std::uint64_t cursor = 0;  // Rows::next of the last rows written
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;     // of the output up to there
    bool finished = false;       // everything is written, or nothing more ever will be
    bool reader_gone = false;    // the output was closed by its reader
    std::optional<Error> error;  // writing failed otherwise
  };
  Progress progress();
  // finish(), and waits for it: no longer than `patience`, and not once `interrupt_fd` is readable.
  Progress finish_within(std::optional<nanoseconds> patience, int interrupt_fd = -1);
  // For one that waits for its reader, at a kill.
  static constexpr std::chrono::milliseconds kPatience{300};

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// "cannot write the results to NAME: No space left on device".
Error cannot_write(const std::string& name, int error_number);

}  // namespace fanmill::producer
