// The child side: reads frames, runs tasks, reports them. One thread, blocking reads; a second one
// only reports while a task runs long. The page says at any instant which task runs; the clock is
// read only as often as something can be learned.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/executor_frames.hpp"
#include "worker/executor_report.hpp"
#include "worker/functions/function.hpp"
#include "worker/long_task_watch.hpp"

namespace fanmill::worker {

class Executor {
 public:
  struct Options {
    int socket = executor::kSocketFd;
    executor::Page* page = nullptr;
    PrintedFiles printed;
    bool watches_socket = false;  // functions run here that may close it
  };
  Executor(Registry registry, Options options);

  // Until the agent closes the socket (0) or sends what is no frame (1).
  int run();

 private:
  struct Binding {
    std::unique_ptr<Function> function;
  };

  bool say_hello();
  // Reads until a whole frame is at the front of the buffer; false at the end of the stream.
  bool next_frame(std::string_view& body);
  bool whole_frame_waits();
  bool fill(bool wait);  // false: nothing came (without wait), or the stream ended
  void make_room(std::size_t wanted);

  bool handle(std::string_view body);
  bool run_work(const executor::Work& work);
  // The task is said to have begun, unless the agent has lowered the end.
  bool may_begin(std::uint64_t position);
  // The agent lowered the end: nothing from `position` on is begun.
  bool stop_at(std::uint64_t position);
  void run_task(Function& function, Call& call);
  bool holds_socket() const;
  [[noreturn]] void lose_socket();
  bool write_reports();

  Registry registry_;
  Options options_;
  std::unordered_map<JobId, Binding> bindings_;
  bool agent_fences_;  // lower_end() does, for both sides
  Reporter reporter_;
  std::string value_;          // of the task that runs
  LongTaskWatch long_tasks_;   // reports what ended before one
  bool passing_over_ = false;  // Stopped was sent: no Work counts until the next Bind
  bool broken_ = false;        // the stream ended inside a frame, or a frame made no sense

  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t frame_bytes_ = 0;  // of the frame being handled; passed over by the next one
};

}  // namespace fanmill::worker
