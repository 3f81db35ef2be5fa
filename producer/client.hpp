// A connection to a broker (or to a private run) and the loop of one job around the pure Session.
// What the command line, the benchmarks and the C++ library (producer/include/fanmill/pool.hpp,
// which is what a user includes) stand on.
//
//   fanmill::ChannelContext context;
//   auto run = fanmill::PrivateRun::start(context, {.slots = 2});
//   auto client = fanmill::producer::Client::connect(context, run->endpoint());
//   auto counts = fanmill::producer::map(*client, {.spec = {.function = "identity"}},
//                                        std::views::iota(0, 1'000'000),
//                                        [](const fanmill::producer::RowsArrived& rows) { … });
//
// One thread owns a Client. Block all signals before the first ChannelContext is made.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <vector>

#include "producer/pack.hpp"
#include "producer/session.hpp"
#include "proto/channel.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

class Client {
 public:
  // Returns at once; whether somebody answers shows in session().is_connected(). kUsage or kSystem
  // where the address makes no sense.
  static Result<Client> connect(ChannelContext& context, const Address& address);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();  // says goodbye

  // What is asked of it goes out with the next pump().
  Session& session();

  // One turn: sends what is due, waits until the broker says something, one of `extra` (plain
  // descriptors, as for poll(2)) is ready or `timeout` is over (empty: no limit), and reads what
  // came. Waits not at all while notices are at hand. The notices are in order.
  std::vector<Notice> pump(std::optional<nanoseconds> timeout, std::span<pollfd> extra = {});

  // Why there is no connection, while that is so: nobody listens there, or our key is refused.
  const std::optional<Error>& connect_error() const;

  // A key that no other job has.
  static std::string fresh_key();

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Appends tuples to `chunk` until it is full(); false once there are no more.
using Fill = std::function<bool(ChunkBuilder& chunk)>;
// Takes rows in cursor order, each once. Of succeeded rows the blob begins with the batch's values;
// producer/row_batch.hpp decodes the rest.
using TakeRows = std::function<void(const RowsArrived& rows)>;

// Runs one job from its opening to its end on the calling thread. Memory stays bounded: `fill` is
// asked only under credit. A refused job is an error; failed tasks are rows and counts.
Result<JobCounts> run_job(Client& client, JobOptions options, RowOrder order, const Fill& fill,
                          const TakeRows& take);

// The same over a range, pulled lazily: an element that is a std::tuple gives the parameters of one
// task, any other element is its one parameter (see pack::tuple).
template <std::ranges::input_range Range>
Result<JobCounts> map(Client& client, JobOptions options, Range&& range, const TakeRows& take,
                      RowOrder order = RowOrder::kInput) {
  auto at = std::ranges::begin(range);
  const auto end = std::ranges::end(range);
  const auto fill = [&](ChunkBuilder& chunk) {
    for (; at != end; ++at) {
      if (chunk.full()) return true;
      pack::tuple(chunk.bytes(), *at);
      chunk.tuple_done();
    }
    return false;
  };
  return run_job(client, std::move(options), order, fill, take);
}

}  // namespace fanmill::producer
