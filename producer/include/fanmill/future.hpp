// Future<T> and Function<T>: one call at a time, in the manner of std::async.
//
//   auto norm = pool.function<double>("norm", {.retries = 2});
//   fanmill::Future<double> later = norm(3.0, 4.0);
//   fanmill::Result<double> length = later.get();
//
// Calls made one after the other travel together: nobody waits for a batch to fill, and nobody pays
// for a message each.
#pragma once

#include <chrono>
#include <fanmill/detail/engine.hpp>
#include <fanmill/detail/pack_types.hpp>
#include <fanmill/detail/read.hpp>
#include <fanmill/result.hpp>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace fanmill {

// Like std::future: moved, not copied; one thread at a time. Destroying it waits for nothing and
// cancels nothing. It may outlive its Pool.
template <class T = Value>
class Future {
 public:
  Future() = default;  // valid() is false
  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;

  bool valid() const { return call_ != nullptr; }
  bool ready() const { return call_ && call_->ready.load(std::memory_order_acquire); }
  // These throw BadAccess of a future that is not valid().
  void wait() const {
    check();
    if (!ready()) calls_->wait(*call_);
  }
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> duration) const {
    return wait_until(std::chrono::steady_clock::now() +
                      std::chrono::duration_cast<std::chrono::nanoseconds>(duration));
  }
  bool wait_until(std::chrono::steady_clock::time_point end) const {
    check();
    return ready() || calls_->wait_until(*call_, end);
  }

  // Waits, and gives what the call came to; afterwards valid() is false.
  Result<T> get() {
    wait();
    const auto call = std::exchange(call_, nullptr);
    calls_.reset();
    if (call->failure) return call->failure;
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      Result<T> result;
      const client::Cursor start(call->value);
      client::Cursor cursor = start;
      if (!client::read(cursor, result.emplace())) {
        return client::wrong_type<T>(Failure::kNoTask, 0, start);
      }
      return result;
    }
  }

 private:
  template <class>
  friend class Function;
  Future(std::shared_ptr<client::Calls> calls, std::shared_ptr<client::CallState> call)
      : calls_(std::move(calls)), call_(std::move(call)) {}
  void check() const {
    if (!valid()) throw BadAccess("fanmill: a future without a call");
  }
  std::shared_ptr<client::Calls> calls_;
  std::shared_ptr<client::CallState> call_;
};

// A function of the workers as if it were one of this program. Any thread, several at a time.
template <class T = Value>
class Function {
 public:
  // One call. Waits only while 64 MiB of calls have not been taken by the broker.
  template <class... Parameters>
  Future<T> operator()(const Parameters&... parameters) const {
    thread_local std::string tuple;
    tuple.clear();
    pack::array_head(tuple, sizeof...(parameters));
    (pack::element(tuple, parameters), ...);
    return Future<T>(calls_, calls_->submit(tuple));
  }
  // One call with the parameters of a tuple, a map or a FANMILL_FIELDS struct, as in starmap.
  template <class Tuple>
  Future<T> apply(const Tuple& parameters) const {
    thread_local std::string tuple;
    tuple.clear();
    pack::tuple(tuple, parameters);
    return Future<T>(calls_, calls_->submit(tuple));
  }

 private:
  friend class Pool;
  explicit Function(std::shared_ptr<client::Calls> calls) : calls_(std::move(calls)) {}
  std::shared_ptr<client::Calls> calls_;
};

}  // namespace fanmill
