// What the store's file takes: MiB/s of blobs of one size, beside plain writes to a file as the
// floor, and how long a small write waits while what a forgotten job has left is removed.
//   fanmill-store-bench DIRECTORY [MIB]
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "broker/sqlite/sqlite_store.hpp"

namespace fanmill::broker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMiB = 1U << 20;
constexpr JobId kBig{1};
constexpr JobId kSmall{2};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void wait_durable(const SqliteStore& store, std::uint64_t number) {
  while (store.durable() < number) {
    pollfd waits{store.event_fd(), POLLIN, 0};
    ::poll(&waits, 1, 1000);
    std::uint64_t events = 0;
    static_cast<void>(!::read(store.event_fd(), &events, sizeof events));
    if (const auto failed = store.failure()) {
      std::fprintf(stderr, "%s\n", failed->message.c_str());
      std::exit(1);
    }
  }
}

std::vector<StoreWrite> one(StoreWrite write) {
  std::vector<StoreWrite> all;
  all.push_back(std::move(write));
  return all;
}

PutRecord record_of(JobId job, std::uint64_t number, const Blob& bytes) {
  PutRecord put;
  put.job = job;
  put.record = {number};
  put.batch_first = {number};
  put.batch_count = 1;
  put.valid = {{TaskIndex{number}, 1}};
  put.bytes = bytes;
  return put;
}

// Random bytes: nothing below makes less of them.
std::string noise(std::size_t bytes) {
  std::string made(bytes, '\0');
  std::uint64_t x = 88172645463325252U;
  for (char& c : made) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    c = static_cast<char>(x);
  }
  return made;
}

double floor_rate(const std::string& directory, const std::string& bytes, std::uint64_t total) {
  const std::string path = directory + "/floor";
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  const auto begin = Clock::now();
  for (std::uint64_t done = 0; done < total; done += bytes.size())
    if (::write(fd, bytes.data(), bytes.size()) < 0) std::exit(1);
  ::fdatasync(fd);
  const double rate = static_cast<double>(total / kMiB) / seconds_since(begin);
  ::close(fd);
  ::unlink(path.c_str());
  return rate;
}

// So many bytes are under way at most, as a broker's credit has it.
constexpr std::uint64_t kUnderWay = 64 * kMiB;

double store_rate(SqliteStore& store, JobId job, const Blob& blob, std::uint64_t total,
                  std::uint64_t& number) {
  const auto begin = Clock::now();
  const std::uint64_t most = std::max<std::uint64_t>(1, kUnderWay / blob.size());
  const std::uint64_t first = number;
  for (std::uint64_t i = 0; i * blob.size() < total; ++i) {
    store.write(one(record_of(job, i + 1, blob)));
    ++number;
    if (number - first > most) wait_durable(store, number - most);
  }
  wait_durable(store, number);
  return static_cast<double>(total / kMiB) / seconds_since(begin);
}

struct Waits {  // ms
  double median, rare, longest;
};
std::string text(const Waits& waits) {
  return fmt::format("{:.1f} ms, 99 % {:.1f}, longest {:.1f}", waits.median, waits.rare,
                     waits.longest);
}

// Small commits, one after the other, for five seconds.
Waits commits(SqliteStore& store, std::uint64_t& number, std::uint64_t& record) {
  const Blob bytes = Blob::copy_of(std::string(100, 'x'));
  std::vector<double> waits;
  for (const auto begin = Clock::now(); seconds_since(begin) < 5;) {
    const auto asked = Clock::now();
    store.write(one(record_of(kSmall, ++record, bytes)));
    wait_durable(store, ++number);
    waits.push_back(1e3 * seconds_since(asked));
  }
  std::sort(waits.begin(), waits.end());
  return {waits[waits.size() / 2], waits[waits.size() * 99 / 100], waits.back()};
}

void run(const std::string& directory, sqlite::Durability durability, std::uint64_t total) {
  const char* level = durability == sqlite::Durability::kSync ? "sync" : "os";
  for (const std::size_t size : {64U << 10, 256U << 10, 1U << 20}) {
    const std::string path = directory + "/bench.store";
    SqliteStoreOptions options;
    options.path = path;
    options.durability = durability;
    auto opened = SqliteStore::open(options, 1);
    if (!opened) {
      std::fprintf(stderr, "%s\n", opened.error().message.c_str());
      std::exit(1);
    }
    SqliteStore& store = **opened;
    store.take_recovered();
    std::uint64_t number = 2;
    store.write(one(PutJob{kBig, "big", {}}));
    store.write(one(PutJob{kSmall, "small", {}}));
    const std::string bytes = noise(size);
    const double floor = floor_rate(directory, bytes, total);
    const double rate = store_rate(store, kBig, Blob::copy_of(bytes), total, number);
    std::uint64_t small = 0;
    const Waits alone = commits(store, number, small);
    store.write(one(DropJob{kBig}));
    ++number;
    const Waits beside = commits(store, number, small);
    fmt::print(
        "{:<4} {:>4} KiB: {:>4.0f} MiB/s, {:.2f} x plain writes; a commit: {}; while {} MiB "
        "are forgotten: {}\n",
        level, size >> 10, rate, rate / floor, text(alone), total / kMiB, text(beside));
    std::fflush(stdout);
    opened->reset();
    for (const char* end : {"", "-wal", "-shm", ".lock", ".reserve"})
      std::filesystem::remove(path + end);
  }
}

}  // namespace
}  // namespace fanmill::broker

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: fanmill-store-bench DIRECTORY [MIB]\n");
    return 2;
  }
  using namespace fanmill::broker;
  const std::uint64_t total = (argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1024) * kMiB;
  for (const auto durability : {sqlite::Durability::kOs, sqlite::Durability::kSync})
    run(argv[1], durability, total);
  return 0;
}
