// Real executor processes under a pool, without an agent core: tasks are dealt by hand.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "proto/result_batch.hpp"
#include "proto/value.hpp"
#include "worker/executor_pool.hpp"

namespace fanmill::worker::testing {

inline constexpr auto kDeadline = std::chrono::seconds(20);

inline std::string executor_path() {
  std::array<char, 4096> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  const std::string self(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return self.substr(0, self.rfind('/') + 1) + "fanmill-executor";
}

inline std::string packed(const Value& value) {
  std::string bytes;
  append_msgpack(bytes, value);
  return bytes;
}

// Processes that have this text in their command line (a zombie has none).
inline int processes_with(const std::string& text) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    FILE* file = std::fopen((entry.path() / "cmdline").c_str(), "r");
    if (file == nullptr) continue;
    std::string line(4096, '\0');
    line.resize(std::fread(line.data(), 1, line.size(), file));
    std::fclose(file);
    if (line.find(text) != std::string::npos) ++count;
  }
  return count;
}

// Waits for a fact; false after `within`.
template <class Fact>
bool comes_true(Fact&& fact, std::chrono::milliseconds within = kDeadline) {
  const auto until = std::chrono::steady_clock::now() + within;
  while (!fact()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

// One task's end, taken out of the reports.
struct Ended {
  std::uint64_t position{};
  Outcome outcome{};
  Value value;
  Failure failure;
  std::string out;
  std::string err;
};

class PoolHarness {
 public:
  explicit PoolHarness(std::uint32_t slots = 1, bool commands = true,
                       std::vector<std::string> plugins = {})
      : pool(ExecutorPool::make({executor_path(), slots, commands, std::move(plugins)}).value()) {
    for (std::uint32_t slot = 0; slot < slots; ++slot) FANMILL_ASSERT(pool.start(slot));
  }

  void bind(JobId job, JobSpec spec, std::uint32_t slot = 0) {
    pool.bind({slot, {job, std::move(spec)}});
  }
  void bind(JobId job, std::string function) {
    JobSpec spec;
    spec.function = std::move(function);
    bind(job, std::move(spec));
  }
  void bind_command(JobId job, std::vector<std::string> argv, std::uint64_t max_output = 0,
                    std::vector<std::string> names = {}) {
    JobSpec spec;
    spec.function = kCommandFunction;
    spec.argv = std::move(argv);
    spec.max_output = max_output;
    spec.names = std::move(names);
    bind(job, std::move(spec));
  }

  // Deals these tuples as the next positions. (Not a vector: {Array{1}} would be one.)
  void deal(JobId job, std::initializer_list<Value> tuples, std::uint32_t slot = 0) {
    deal_all(job, std::vector<Value>(tuples.begin(), tuples.end()), slot);
  }
  void deal_all(JobId job, const std::vector<Value>& tuples, std::uint32_t slot = 0) {
    std::string blob;
    for (const Value& tuple : tuples) append_msgpack(blob, tuple);
    deal_bytes(job, std::move(blob), tuples.size(), slot);
  }
  void deal_bytes(JobId job, std::string blob, std::uint64_t count, std::uint32_t slot = 0) {
    DealWork work;
    work.slot = slot;
    work.work.job = job;
    work.work.position = next;
    work.work.first = {next};
    work.work.count = count;
    work.work.attempt = 1;
    work.blob = Blob::from(std::move(blob));
    next += count;
    work.end = next;
    pool.deal(work);
  }

  // Events until the fact; what they say is kept in the members.
  bool run_until(const std::function<bool()>& fact) {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    while (!fact()) {
      pool.flush();
      pollfd watched{pool.poll_fd(), POLLIN, 0};
      poll(&watched, 1, 20);
      std::vector<Event> events;
      pool.take_events(events);
      for (Event& event : events) take(event);
      if (std::chrono::steady_clock::now() >= until) return false;
    }
    return true;
  }
  bool run_until_ended(std::uint64_t tasks) {
    return run_until([&] { return ended.size() >= tasks || !died.empty(); }) && died.empty();
  }

  ExecutorPool pool;
  std::uint64_t next = 0;
  std::vector<ExecutorReady> ready;
  std::vector<Ended> ended;
  std::vector<std::uint64_t> reports;  // tasks of each
  std::vector<ResultColumns> columns;
  std::vector<std::uint64_t> stopped;
  std::vector<ExecutorDied> died;

 private:
  void take(Event& event) {
    if (auto* one = std::get_if<ExecutorReady>(&event)) ready.push_back(*one);
    if (auto* one = std::get_if<ExecutorStopped>(&event)) stopped.push_back(one->position);
    if (auto* one = std::get_if<ExecutorDied>(&event)) died.push_back(*one);
    if (auto* one = std::get_if<ExecutorDone>(&event)) take_report(*one);
  }
  void take_report(const ExecutorDone& report) {
    const std::string_view bytes = report.blob.view();
    columns.push_back(decode_columns(bytes.substr(report.done.values_bytes)).value());
    reports.push_back(report.done.count);
    const ResultColumns& said = columns.back();
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < report.done.count; ++i) {
      Ended one;
      one.position = report.done.position + i;
      one.outcome = report.done.outcome;
      if (one.outcome == Outcome::kSucceeded) {
        one.value = decode_msgpack(bytes.substr(0, report.done.values_bytes), at).value();
      } else {
        one.failure = said.failures.at(i);
      }
      for (const CapturedOutput& output : said.outputs) {
        if (output.offset == i) {
          one.out = output.out;
          one.err = output.err;
        }
      }
      ended.push_back(std::move(one));
    }
  }
};

}  // namespace fanmill::worker::testing
