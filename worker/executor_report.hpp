// What an executor reports: values, run times and captured output, gathered until it is worth a
// frame. A report never spans two Work frames, and has one outcome.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/clock.hpp"
#include "proto/messages.hpp"
#include "proto/result_batch.hpp"

namespace fanmill::worker {

// Where this process prints to: files opened for appending, emptied as they are read. -1: not
// captured.
struct PrintedFiles {
  int out = -1;
  int err = -1;
};

class Reporter {
 public:
  explicit Reporter(PrintedFiles printed);

  // Tasks from `position` on follow; the clock is read.
  void begin(std::uint64_t position);

  // The next task ended. `out` and `err`: what it captured by itself. All are taken.
  void succeeded(std::string& value, std::string& out, std::string& err);
  void failed(Failure failure, std::string& out, std::string& err);
  // The next task that ends wrote to its stderr.
  void has_printed() { has_printed_ = true; }
  bool has_just_read_the_clock() const { return unread_tasks_ == 0; }

  // The report is turned into a frame, if it has tasks.
  void close();
  // The same while the next task runs already: what that one prints and takes is left alone.
  void close_behind_a_task();
  // Something is not yet written.
  bool holds_reports() const { return count_ > 0 || !frames_.empty(); }
  // Frames not yet written; the writer says when they are.
  const std::string& frames() const { return frames_; }
  void written();
  // So much work or so many bytes are unreported that a frame should leave now.
  bool due() const;

 private:
  struct Segment {  // tasks between two readings of the clock
    std::uint32_t tasks;
    std::uint64_t ns;
  };
  void ended(Outcome outcome, std::string& out, std::string& err);
  void make_frame();
  void read_clock();
  void collect_printed();  // attributed to the last task
  void add_output(std::uint32_t offset, std::string out, std::string err);

  PrintedFiles printed_;
  std::string frames_;

  std::uint64_t position_ = 0;
  std::uint64_t count_ = 0;
  Outcome outcome_ = Outcome::kSucceeded;
  std::string values_;
  std::size_t output_bytes_ = 0;
  std::uint64_t run_ns_ = 0;
  std::vector<Segment> segments_;
  ResultColumns columns_;

  std::chrono::steady_clock::time_point last_read_{};
  std::chrono::steady_clock::time_point last_sent_{};
  std::uint64_t last_ticks_ = 0;
  std::uint64_t ticks_worth_reading_ = 0;
  std::uint32_t unread_tasks_ = 0;  // since the clock was read
  bool due_ = false;
  bool has_printed_ = false;
};

}  // namespace fanmill::worker
