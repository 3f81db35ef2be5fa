// Random histories of one job: results, crashes, failures, returns, lost leases, reconnects,
// silence, repeated questions. Whatever happens, the invariants hold (the stage checks them after
// every event), and once the faults stop every task has exactly one row.
#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <set>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed), order_(seed % 3 == 0 ? RowOrder::kAsCompleted : RowOrder::kInput) {
    JobOptions options = map_job();
    options.retries = seed % 2 == 0 ? 1 : 0;
    options.rows_with_tuples = seed % 5 == 0;
    add("a");
    add("b");
    stage_.add_producer("p");
    stage_.open("p", "key", options);
    stage_.gather("p", 1, 0, order_, kWindow);
  }

  void run_with_faults(int steps) {
    for (int i = 0; i < steps; ++i) {
      fault();
      read();
    }
  }

  void cancel() {
    stage_.cancel("p", 1, 0);
    submitted_ = kTasks;
  }

  // No more faults: how many rounds until the job ends, or -1.
  int finish() {
    while (submitted_ < kTasks) submit();
    if (!stage_.core().view().jobs.at(0).closed) stage_.close("p", 1, kTasks);
    for (int round = 0; round < 200; ++round) {
      for (const std::string& name : names_) {
        stage_.worker(name).running.clear();
        beat(name);
        for (int i = 0; i < 50 && !stage_.worker(name).held.empty(); ++i)
          report(name, Outcome::kSucceeded);
      }
      stage_.gather("p", 1, cursor_, order_, kWindow);
      read();
      stage_.ack("p", 1, cursor_);
      read();
      if (ended_) return round;
      stage_.pass(1500ms);
      read();
    }
    return -1;
  }

  std::uint64_t rows() const { return rows_; }
  std::uint64_t accepted() const { return stage_.core().view().jobs.at(0).counts.accepted; }
  static constexpr std::uint64_t kTasks = 400;

 private:
  static constexpr std::uint64_t kWindow = 200;

  std::uint64_t any(std::uint64_t below) { return random_() % below; }

  void add(const std::string& name) {
    stage_.add_worker(name, 1 + static_cast<std::uint32_t>(any(3)));
    names_.push_back(name);
    unknown_.push_back(false);
  }

  void submit() {
    const std::uint64_t count = std::min<std::uint64_t>(1 + any(60), kTasks - submitted_);
    if (count == 0) return;
    stage_.submit("p", 1, submitted_, count);
    submitted_ += count;
  }

  // Something of a lease the worker holds: from its front, as far as a worker would have come.
  void report(const std::string& name, Outcome outcome) {
    FakeWorker& fake = stage_.worker(name);
    if (fake.held.empty()) return;
    auto it = fake.held.begin();
    std::advance(it, any(fake.held.size()));
    const std::uint64_t left = fake.unfinished[it->first];
    const std::uint64_t first = it->second.first.value + it->second.count - left;
    const bool one = outcome == Outcome::kCrashed || outcome == Outcome::kTimeLimit;
    stage_.results(name, it->first, first, one ? 1 : 1 + any(left), outcome, 100us, 5 + any(90));
  }

  void give_back(const std::string& name) {
    FakeWorker& fake = stage_.worker(name);
    if (fake.held.empty()) return;
    const auto& [token, lease] = *fake.held.rbegin();
    const std::uint64_t left = fake.unfinished[token];
    stage_.returned(name, token, {{lease.first + (lease.count - left), left}}, fake.recall);
  }

  void beat(const std::string& name) {
    stage_.heartbeat(name);
    stage_.heartbeat(name, true);
  }

  void reconnect(const std::string& name) {
    std::vector<std::uint64_t> claims;
    for (const auto& [token, lease] : stage_.worker(name).held)
      if (any(2) == 0) claims.push_back(token);
    stage_.reconnect(name, claims);
  }

  void fault() {
    const std::size_t i = any(names_.size());
    const std::string name = names_[i];
    FakeWorker& fake = stage_.worker(name);
    switch (any(16)) {
      case 0:
        return submit();
      case 1:
      case 2:
      case 3:
      case 4:
        return report(name, Outcome::kSucceeded);
      case 5:
        return report(name, Outcome::kFailed);
      case 6:
        return report(name, Outcome::kCrashed);
      case 7:
        return give_back(name);
      case 8:
        return beat(name);
      case 9:
        if (!fake.held.empty()) stage_.lose_lease(name, fake.held.rbegin()->first);
        return;
      case 10:
        return reconnect(name);
      case 11:
        stage_.pass(std::chrono::milliseconds(any(4000)));
        return;
      case 12:  // by a token that may hold nothing any more
        stage_.results(name, 1 + any(50), any(submitted_ + 1), 1 + any(4),
                       any(2) == 0 ? Outcome::kSucceeded : Outcome::kFailed);
        return;
      case 13:
        stage_.gather("p", 1, any(cursor_ + 1), order_, kWindow);
        return;
      case 14:
        stage_.ack("p", 1, any(2) == 0 ? cursor_ : any(cursor_ + 1));
        return;
      default:
        if (any(4) == 0) {
          stage_.pause(20s);
        } else if (!fake.held.empty()) {
          const auto& [token, lease] = *fake.held.begin();
          fake.running = {{lease.job, lease.token, lease.first}};
        }
    }
  }

  // Takes rows as a reader does: only those at its cursor.
  void read() {
    for (const std::string& line : stage_.take()) {
      for (std::size_t i = 0; i < names_.size(); ++i)
        if (line == "now " + names_[i] + ": unknown-session") unknown_[i] = true;
      if (line.find("p: ended") != std::string::npos) ended_ = true;
      unsigned long at = 0;
      unsigned long first = 0;
      unsigned long end = 0;
      if (std::sscanf(line.c_str(), "after p: rows 1 at=%lu [%lu,%lu)", &at, &first, &end) != 3)
        continue;
      if (at != cursor_) continue;
      cursor_ = order_ == RowOrder::kInput ? end : cursor_ + 1;
      rows_ += end - first;
      EXPECT_TRUE(order_ == RowOrder::kAsCompleted || first == at);
      for (unsigned long task = first; task < end; ++task)
        EXPECT_TRUE(seen_.insert(task).second) << "a second row of task " << task;
    }
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (!unknown_[i]) continue;
      unknown_[i] = false;
      stage_.reconnect(names_[i], {});
    }
  }

  std::mt19937_64 random_;
  RowOrder order_;
  Stage stage_;
  std::vector<std::string> names_;
  std::vector<bool> unknown_;
  std::uint64_t submitted_ = 0;
  std::uint64_t cursor_ = 0;
  std::uint64_t rows_ = 0;
  std::set<std::uint64_t> seen_;
  bool ended_ = false;
};

TEST(RandomHistories, EndWithARowOfEveryAcceptedTaskWhenCancelled) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    History history(seed);
    history.run_with_faults(100);
    history.cancel();
    history.run_with_faults(100);
    ASSERT_GE(history.finish(), 0) << "it never ended";
    ASSERT_EQ(history.rows(), history.accepted());
  }
}

TEST(RandomHistories, EndWithExactlyOneRowOfEveryTask) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    History history(seed);
    history.run_with_faults(400);
    ASSERT_GE(history.finish(), 0) << "it never ended";
    ASSERT_EQ(history.rows(), History::kTasks);
  }
}

}  // namespace
}  // namespace fanmill::broker
