// Pool: where functions and commands run. Without settings a private run: executor processes on
// this host's cores, gone with the Pool. With a broker: its workers.
//
//   fanmill::Pool pool;                                      // or Pool pool({.broker = "ipc://…"})
//   for (auto& row : pool.map<int>("square", std::views::iota(0, 100))) …   // in input order
//   for (auto& row : pool.starmap<double>("norm", points).as_completed()) …
//   auto all   = pool.map<int>("square", numbers).values();  // Result<std::vector<int>>
//   auto later = pool.submit<double>("norm", 3.0, 4.0);      // Future<double>
//   for (auto& row : pool.exec({"gzip", "-9", "{}"}, files)) …
//
// T is what a result is read as (detail/read.hpp lists the types; Value takes anything). A result
// that is no T is a failure that names task, expected type and what was found.
//
// Errors of functions, commands, workers, brokers and the system are values (Failure). What throws:
// BadAccess for a look at what is not there, the user's own ranges and callbacks, and the want of
// memory.
//
// Threads: any number may use a Pool at a time. It has one thread of its own that owns the
// connection (and two more for a private run); all of them block every signal, and the program's
// own signal mask and handlers are left alone. After fork() the child's copy is dead: whatever is
// asked of it is a failure, and destroying it touches nothing of the parent's.
#pragma once

#include <cstdint>
#include <fanmill/detail/engine.hpp>
#include <fanmill/future.hpp>
#include <fanmill/job.hpp>
#include <fanmill/settings.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fanmill {

template <class Source>
concept Tuples = client::Generator<Source> || std::ranges::viewable_range<Source>;

class Pool {
 public:
  // Waits until the executors are being started or the broker's socket was found. A Pool that could
  // not start says why in error(), and so does every job of it.
  explicit Pool(const PoolSettings& settings = {})
      : engine_(client::Engine::start(settings, kInstalled)) {}
  Pool(Pool&&) noexcept = default;
  Pool& operator=(Pool&&) = delete;
  // Cancels what is not done, kills what runs, and waits until no process is left. Jobs that are
  // still there end with a failure, and so do futures.
  ~Pool() {
    if (engine_) engine_->stop();
  }

  // Null: it runs.
  std::shared_ptr<const Failure> error() const { return engine_->failure(); }
  std::uint32_t slots() const { return engine_->slots(); }  // of a private run; else 0

  // `function` once for each element of `source`, which is a range or a callable that returns a
  // std::optional. The element's own elements are the parameters (tuples, pairs, arrays, vectors),
  // or named ones (maps with text keys, FANMILL_FIELDS structs); a scalar or text is the only one.
  template <class T = Value, Tuples Source>
  Job<T> starmap(std::string function, Source&& source, JobSettings settings = {}) {
    return open<T, client::PackTuple>(std::move(function), {}, std::forward<Source>(source),
                                      std::move(settings));
  }
  // The element, whatever it is, is the only parameter.
  template <class T = Value, Tuples Source>
  Job<T> map(std::string function, Source&& source, JobSettings settings = {}) {
    return open<T, client::PackSingle>(std::move(function), {}, std::forward<Source>(source),
                                       std::move(settings));
  }
  // A command once for each element, its parameters as in starmap: program and arguments, with
  // placeholders ({} {.} {/} {1} {name} …) and without a shell. Its stdout is the value.
  template <class T = std::string, Tuples Source>
  Job<T> exec(std::vector<std::string> command, Source&& source, JobSettings settings = {}) {
    return open<T, client::PackTuple>("exec", std::move(command), std::forward<Source>(source),
                                      std::move(settings));
  }

  // One call of a function, and something to call it by.
  template <class T = Value, class... Parameters>
  Future<T> submit(const std::string& name, const Parameters&... parameters) {
    return function<T>(name)(parameters...);
  }
  template <class T = Value>
  Function<T> function(const std::string& name) {
    return Function<T>(engine_->calls(name));
  }
  template <class T = Value>
  Function<T> function(std::string name, JobSettings settings) {
    return Function<T>(engine_->calls({std::move(name), {}, std::move(settings), true}));
  }

 private:
  static constexpr const char* kInstalled =
#ifdef FANMILL_EXECUTOR_INSTALLED
      FANMILL_EXECUTOR_INSTALLED;
#else
      nullptr;
#endif
  template <class T, class Pack, class Source>
  Job<T> open(std::string function, std::vector<std::string> command, Source&& source,
              JobSettings settings) {
    return Job<T>(engine_, {std::move(function), std::move(command), std::move(settings), false},
                  client::make_input<Pack>(std::forward<Source>(source)));
  }
  std::shared_ptr<client::Engine> engine_;
};

}  // namespace fanmill
