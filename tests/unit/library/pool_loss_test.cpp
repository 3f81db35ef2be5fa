// What a Pool does when something is lost, and what it leaves alone: crashes, its end, forks,
// signals, the program's other children.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fanmill/fanmill.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/library/processes.hpp"

namespace {

using namespace std::chrono_literals;
using fanmill::Cause;
using fanmill::Pool;

constexpr const char* kExecutor = "fanmill-executor";

bool gone() {
  return wait_until([] { return children_named(kExecutor).empty(); });
}

TEST(LibraryPoolLoss, AnExecutorThatIsKilledCostsAnAttemptAndNothingElse) {
  const std::string runs = testing::TempDir() + "fanmill-runs-" + std::to_string(getpid());
  Pool pool({.slots = 1});
  std::thread killer([&] {
    if (!wait_until([&] { return access(runs.c_str(), F_OK) == 0; })) return;
    for (const pid_t pid : children_named(kExecutor)) kill(pid, SIGKILL);
  });
  // The second task lasts where it is the first to come so far.
  std::vector<std::uint32_t> attempts;
  for (auto& row : pool.exec(
           {"sh", "-c", "test {} = 0 || test -e " + runs + " || { touch " + runs + "; sleep 60; }"},
           std::vector{0, 1, 0})) {
    EXPECT_TRUE(row) << row.error().text();
    attempts.push_back(row.attempt());
  }
  killer.join();
  unlink(runs.c_str());
  EXPECT_EQ(attempts, (std::vector<std::uint32_t>{1, 2, 1}));
}

TEST(LibraryPoolLoss, ATaskThatAlwaysCrashesIsAFailureThatSaysSo) {
  Pool pool({.slots = 1});
  std::vector<std::string> rows;
  for (auto& row : pool.exec({"sh", "-c", "test {} = 1 && kill -SEGV $PPID; echo {}"},
                             std::vector{0, 1, 2}, {.crash_limit = 2})) {
    if (row) {
      rows.push_back(*row);
      continue;
    }
    EXPECT_EQ(row.error().cause, Cause::kCrashed);
    EXPECT_EQ(row.error().status, fanmill::Status::kDeadLettered);
    EXPECT_EQ(row.error().signal, SIGSEGV);
    EXPECT_EQ(row.error().attempt, 2u);
    EXPECT_EQ(row.error().index, 1u);
  }
  EXPECT_EQ(rows, (std::vector<std::string>{"0\n", "2\n"}));
}

TEST(LibraryPoolLoss, ItsEndKillsWhatRunsAndLeavesNoProcess) {
  const auto begin = std::chrono::steady_clock::now();
  fanmill::Future<> future;
  std::optional<fanmill::Job<std::string>> job;
  {
    Pool pool({.slots = 2});
    future = pool.submit("sleep", 60.0);
    job.emplace(pool.exec({"sleep", "{}"}, std::vector{0, 60, 60}));
    EXPECT_TRUE(*job->begin());
    EXPECT_EQ(children_named(kExecutor).size(), 2u);
  }
  EXPECT_TRUE(children_named(kExecutor).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_EQ(future.get().error().cause, Cause::kCancelled);
  // The job has ended too, and says why.
  std::string last;
  auto at = job->begin();
  for (++at; at != job->end(); ++at) last = at->error().text();
  EXPECT_EQ(last, "cancelled: its pool is gone");
}

TEST(LibraryPoolLoss, ManyPoolsOneAfterTheOther) {
  for (int i = 0; i < 10; ++i) {
    Pool pool({.slots = 1});
    ASSERT_EQ(pool.submit<int>("identity", i).get().value(), i);
  }
  EXPECT_TRUE(gone());
}

TEST(LibraryPoolLoss, TwoPoolsAtATime) {
  Pool a({.slots = 1});
  Pool b({.slots = 1});
  EXPECT_EQ(a.submit<int>("identity", 1).get().value(), 1);
  EXPECT_EQ(b.submit<int>("identity", 2).get().value(), 2);
}

TEST(LibraryPoolLoss, AProgramThatIsNotThereIsNamed) {
  Pool pool({.executor = "/no/such/fanmill-executor"});
  ASSERT_NE(pool.error(), nullptr);
  EXPECT_EQ(pool.error()->cause, Cause::kSystem);
  EXPECT_EQ(pool.error()->message,
            "cannot execute /no/such/fanmill-executor (PoolSettings::executor)");
  EXPECT_EQ(pool.submit<int>("identity", 1).get().error().message, pool.error()->message);
  for (auto& row : pool.map<int>("identity", std::views::iota(0))) {
    EXPECT_EQ(row.error().message, pool.error()->message);
  }
}

TEST(LibraryPoolLoss, TheEnvironmentNamesTheExecutor) {
  setenv("FANMILL_EXECUTOR", "/no/such/program", 1);
  {
    Pool pool;
    ASSERT_NE(pool.error(), nullptr);
    EXPECT_EQ(pool.error()->message, "cannot execute /no/such/program (FANMILL_EXECUTOR)");
  }
  setenv("FANMILL_EXECUTOR", FANMILL_BIN "/fanmill-executor", 1);
  {
    Pool pool({.slots = 1});
    EXPECT_EQ(pool.submit<int>("identity", 1).get().value(), 1);
  }
  unsetenv("FANMILL_EXECUTOR");
}

TEST(LibraryPoolLoss, AForkedChildIsToldSoAndHarmsNothing) {
  Pool pool({.slots = 1});
  auto begun = pool.map<int>("identity", std::views::iota(0, 100'000));
  EXPECT_EQ(**begun.begin(), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    auto* copy = new Pool(std::move(pool));
    const bool told = !copy->submit<int>("identity", 1).get() && copy->error() != nullptr &&
                      !*copy->map<int>("identity", std::views::iota(0, 3)).begin();
    {
      const auto dropped = std::move(begun);
    }
    delete copy;
    _exit(told ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(pool.submit<int>("identity", 5).get().value(), 5);
}

TEST(LibraryPoolLoss, TheProgramsOtherChildrenAreItsOwn) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(7);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  Pool pool({.slots = 2});
  // An executor dies and is buried meanwhile.
  EXPECT_TRUE(pool.exec({"sh", "-c", "kill -9 $PPID"}, std::vector{1}, {.crash_limit = 1})
                  .for_each([](auto&) {}));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  int subreaper = -1;
  prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
  EXPECT_EQ(subreaper, 0);
}

TEST(LibraryPoolLoss, SignalsAreLeftToTheProgram) {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  Pool pool({.slots = 1});
  EXPECT_EQ(pool.submit<int>("identity", 1).get().value(), 1);
  pthread_sigmask(SIG_BLOCK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
  EXPECT_EQ(sigismember(&after, SIGINT), 0);
  int threads = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == std::to_string(gettid())) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (!line.starts_with("SigBlk:")) continue;
      const auto mask = std::stoull(line.substr(7), nullptr, 16);
      for (const int signal : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGALRM, SIGPIPE}) {
        EXPECT_NE(mask >> (signal - 1) & 1U, 0u) << task.path() << " signal " << signal;
      }
      ++threads;
    }
  }
  EXPECT_GE(threads, 3);
}

TEST(LibraryPoolLoss, MemoryStaysBoundedOverAnEndlessRange) {
  const auto resident_kib = [] {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
    }
    return 0L;
  };
  Pool pool({.slots = 2});
  long after_a_million = 0;
  const std::string text(100, 'x');
  for (auto& row : pool.map<std::string>(
           "identity", std::views::iota(0) | std::views::transform([&](int) { return text; }))) {
    ASSERT_TRUE(row);
    if (row.index() == 1'000'000) after_a_million = resident_kib();
    if (row.index() == 3'000'000) break;
  }
  // 2 million further texts are 200 MB.
  EXPECT_LT(resident_kib(), after_a_million + 64 * 1024);
}

}  // namespace
