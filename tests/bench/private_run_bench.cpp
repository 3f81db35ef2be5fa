// What the C++ API of a private run reaches, as one JSON line:
//
//   fanmill-bench throughput TASKS [SLOTS]
//     no-op tasks (int, 12-char string), results in order and checked
//   fanmill-bench numbers TASKS [SLOTS]    the same with one int, beside fanmill-library-bench
//   fanmill-bench latency ROUNDS [SLOTS]   one task there and back, again and again
//
// Run beside its peers by first_figures.py.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <msgpack.hpp>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>

#include "producer/client.hpp"
#include "producer/private_run.hpp"
#include "proto/channel.hpp"

namespace {

using namespace fanmill;

constexpr const char* kPayload = "task-payload";

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "fanmill-bench: %s\n", why.c_str());
  std::exit(1);
}

// The number in front of one result [number, text]; its bytes are checked to be a result's.
struct FirstNumber : msgpack::null_visitor {
  std::uint64_t number = 0;
  bool visit_positive_integer(std::uint64_t v) {
    number = v;
    return true;
  }
};

JobOptions identity_job() {
  JobOptions options;
  options.spec.function = "identity";
  options.forget_when_delivered = true;
  return options;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class Range>
void throughput(producer::Client& client, std::uint64_t tasks, Range params) {
  std::uint64_t expected = 0;
  const auto take = [&](const producer::RowsArrived& rows) {
    const std::string_view blob = rows.blob.view();
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < rows.rows.batch_count; ++i) {
      FirstNumber result;
      msgpack::parse(blob.data(), blob.size(), at, result);
      if (rows.rows.batch_first.value + i < rows.rows.first.value) continue;
      if (result.number != expected++) die("a result is not in its place");
    }
  };
  const auto start = std::chrono::steady_clock::now();
  const auto counts = producer::map(client, identity_job(), params, take);
  const double seconds = seconds_since(start);
  if (!counts) die(counts.error().message);
  if (expected != tasks || counts->succeeded != tasks) die("results are missing");
  std::printf("{\"tasks\": %llu, \"tasks_s\": %.0f}\n", static_cast<unsigned long long>(tasks),
              static_cast<double>(tasks) / seconds);
}

// The next notice of one kind; a refusal ends the program.
template <class Wanted>
void await(producer::Client& client) {
  for (;;) {
    bool seen = false;
    for (const producer::Notice& notice : client.pump(std::nullopt)) {
      if (const auto* refused = std::get_if<producer::JobRefused>(&notice)) {
        die(refused->error.message);
      }
      if (const auto* rows = std::get_if<producer::RowsArrived>(&notice)) {
        client.session().rows_done(rows->handle, rows->rows.next, mono_now());
      }
      seen = seen || std::holds_alternative<Wanted>(notice);
    }
    if (seen) return;
  }
}

void latency(producer::Client& client, std::uint64_t rounds) {
  const auto job = client.session().open(producer::Client::fresh_key(), identity_job(),
                                         RowOrder::kInput, mono_now());
  await<producer::Opened>(client);
  constexpr std::uint64_t kWarmUp = 500;
  auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < kWarmUp + rounds; ++i) {
    if (i == kWarmUp) start = std::chrono::steady_clock::now();
    ChunkBuilder chunk;
    producer::pack::tuple(chunk.bytes(), std::tuple<std::uint64_t, std::string_view>(i, kPayload));
    chunk.tuple_done();
    client.session().submit(job, chunk.take(), mono_now());
    await<producer::RowsArrived>(client);
  }
  std::printf("{\"rounds\": %llu, \"mean_us\": %.1f}\n", static_cast<unsigned long long>(rounds),
              seconds_since(start) / static_cast<double>(rounds) * 1e6);
  client.session().close(job, mono_now());
  await<producer::Ended>(client);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[1] : "";
  if (what != "throughput" && what != "numbers" && what != "latency") {
    std::fprintf(stderr,
                 "usage: fanmill-bench throughput|numbers TASKS [SLOTS] | latency ROUNDS "
                 "[SLOTS]\n");
    return 2;
  }
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  const auto slots = static_cast<std::uint32_t>(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 2);

  ChannelContext context;
  auto run = PrivateRun::start(context, {.slots = slots});
  if (!run) die(run.error().message);
  auto client = producer::Client::connect(context, run->endpoint());
  if (!client) die(client.error().message);
  const auto numbers = std::views::iota(std::uint64_t{0}, count);
  if (what == "throughput") {
    throughput(*client, count, numbers | std::views::transform([](std::uint64_t i) {
                                 return std::tuple<std::uint64_t, std::string_view>(i, kPayload);
                               }));
  } else if (what == "numbers") {
    throughput(*client, count, numbers);
  } else {
    latency(*client, count);
  }
  return 0;
}
