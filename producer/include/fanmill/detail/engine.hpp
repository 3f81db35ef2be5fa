// The compiled side of the library as the templates see it: bytes in, bytes out. Not for users.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fanmill/detail/failure.hpp>
#include <fanmill/settings.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanmill::client {

using FailurePtr = std::shared_ptr<const TaskFailure>;

struct JobRequest {
  std::string function;
  std::vector<std::string> command = {};  // of exec(); else empty
  JobSettings settings = {};
  bool as_completed = false;
};

// Where tuples are packed to.
class TupleSink {
 public:
  // Where the next tuple is packed to, until tuple_done(). Only outside of that may one be waited
  // for: what was packed before is taken from here meanwhile.
  std::string& begin_tuple();
  bool tuple_done();  // false: enough for now

 private:
  friend class Stream;
  struct State;
  State* state_ = nullptr;
};

// A user's range, pulled by the thread that iterates over the job.
class Input {
 public:
  Input() = default;
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  virtual ~Input() = default;
  // Packs tuples until the sink has enough; false once there are no more.
  virtual bool fill(TupleSink& sink) = 0;
};

// One task that says more than a value.
struct TaskNote {
  std::string_view value;  // msgpack; empty unless it succeeded
  FailurePtr failure;      // unless it succeeded
  std::string out, err;    // what it printed
  std::string_view tuple;  // msgpack; empty unless asked for
};

// Rows of tasks [first, first + count), alive until the next batch is asked for.
struct Batch {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::string_view values;      // of all of them, one after the other, where `notes` is empty
  std::vector<TaskNote> notes;  // empty, or one per task
  std::uint32_t attempt = 0;
  std::uint64_t mean_run_ns = 0;
  std::vector<std::uint64_t> run_ns;  // empty, or one per task
};

// A job whose rows are iterated over. One thread at a time; cancel() from any.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;  // cancels what is not over; returns at once

  // Feeds from `input` and waits for rows. False: the job is over.
  virtual bool next(Input& input, Batch& batch) = 0;
  virtual void cancel(std::chrono::milliseconds grace) = 0;
  virtual std::optional<Counts> counts() const = 0;  // once it is over
  virtual FailurePtr failure() const = 0;            // why it could not go on; else null

 protected:
  using SinkState = TupleSink::State;
  static void set(TupleSink& sink, SinkState* state) { sink.state_ = state; }
};

// One call that somebody may wait for.
struct CallState {
  std::atomic<bool> ready{false};  // the rest may be read once this is true
  std::string value;               // msgpack
  FailurePtr failure;
};

// A job that calls are added to one by one. Any thread.
class Calls {
 public:
  Calls() = default;
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;
  virtual ~Calls() = default;

  virtual std::shared_ptr<CallState> submit(std::string_view tuple) = 0;
  virtual void wait(const CallState& call) = 0;
  virtual bool wait_until(const CallState& call, std::chrono::steady_clock::time_point end) = 0;
};

// What a Pool is: one thread with the connection, and the private run if there is one.
class Engine {
 public:
  // Never null. `installed`: where the package put fanmill-executor, or null.
  static std::shared_ptr<Engine> start(const PoolSettings& settings, const char* installed);
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual FailurePtr failure() const = 0;  // why it could not start; else null
  virtual std::uint32_t slots() const = 0;
  virtual std::unique_ptr<Stream> open(const JobRequest& request) = 0;
  // A job of its own, or for a function without settings the one that all such calls share.
  virtual std::shared_ptr<Calls> calls(const JobRequest& request) = 0;
  virtual std::shared_ptr<Calls> calls(const std::string& function) = 0;
  virtual void stop() = 0;
};

}  // namespace fanmill::client
