// What the C++ library reaches in a private run, as one JSON line:
//
//   fanmill-library-bench rows TASKS [SLOTS]      no-op tasks (int), typed rows by range-for, in
//     order and checked; its floor is  fanmill-bench numbers
//   fanmill-library-bench futures CALLS [SLOTS]   all submitted, then all got; its peer is
//     ProcessPoolExecutor.submit (tests/bench/futures.py)
//   fanmill-library-bench latency ROUNDS [SLOTS]  one call there and back, again and again
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fanmill/fanmill.hpp>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace {

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "fanmill-library-bench: %s\n", why.c_str());
  std::exit(1);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void rows(fanmill::Pool& pool, std::int64_t tasks) {
  const auto start = std::chrono::steady_clock::now();
  std::int64_t expected = 0;
  for (auto& row : pool.map<std::int64_t>("identity", std::views::iota(std::int64_t{0}, tasks))) {
    if (!row) die(row.error().text());
    if (*row != expected++) die("a result is not in its place");
  }
  if (expected != tasks) die("results are missing");
  std::printf("{\"tasks\": %lld, \"tasks_s\": %.0f}\n", static_cast<long long>(tasks),
              static_cast<double>(tasks) / seconds_since(start));
}

void futures(fanmill::Pool& pool, std::int64_t calls) {
  const auto start = std::chrono::steady_clock::now();
  const auto identity = pool.function<std::int64_t>("identity");
  std::vector<fanmill::Future<std::int64_t>> all;
  all.reserve(static_cast<std::size_t>(calls));
  for (std::int64_t i = 0; i < calls; ++i) all.push_back(identity(i));
  for (std::int64_t i = 0; i < calls; ++i) {
    if (all[static_cast<std::size_t>(i)].get().value() != i) die("a result is another call's");
  }
  std::printf("{\"calls\": %lld, \"calls_s\": %.0f}\n", static_cast<long long>(calls),
              static_cast<double>(calls) / seconds_since(start));
}

void latency(fanmill::Pool& pool, std::int64_t rounds) {
  const auto identity = pool.function<std::int64_t>("identity");
  constexpr std::int64_t kWarmUp = 500;
  auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < kWarmUp + rounds; ++i) {
    if (i == kWarmUp) start = std::chrono::steady_clock::now();
    if (identity(i).get().value() != i) die("a result is another call's");
  }
  std::printf("{\"rounds\": %lld, \"mean_us\": %.1f}\n", static_cast<long long>(rounds),
              seconds_since(start) / static_cast<double>(rounds) * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[1] : "";
  if (what != "rows" && what != "futures" && what != "latency") {
    std::fprintf(stderr,
                 "usage: fanmill-library-bench rows TASKS [SLOTS] | futures CALLS [SLOTS] | "
                 "latency ROUNDS [SLOTS]\n");
    return 2;
  }
  const std::int64_t count = std::strtoll(argv[2], nullptr, 10);
  const auto slots = static_cast<std::uint32_t>(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 2);
  fanmill::Pool pool({.slots = slots});
  if (const auto failure = pool.error()) die(failure->text());
  if (what == "rows") rows(pool, count);
  if (what == "futures") futures(pool, count);
  if (what == "latency") latency(pool, count);
  return 0;
}
