// The whole agent (loop, core, real executors) against a broker played by the test over inproc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "proto/channel.hpp"
#include "proto/codec.hpp"
#include "tests/unit/worker/pool_harness.hpp"
#include "worker/agent.hpp"
#include "worker/cpu_count.hpp"

namespace fanmill::worker {
namespace {

using namespace testing;
using ::testing::HasSubstr;

ChannelContext& context() {
  static ChannelContext one;  // libzmq wants one per process
  return one;
}

class BrokerAndAgent {
 public:
  // The broker alone, for a worker that is a process.
  explicit BrokerAndAgent(const std::string& endpoint)
      : endpoint_(endpoint), channel_(ServerChannel::bind(context(), endpoint).value()) {}
  explicit BrokerAndAgent(AgentOptions options) : BrokerAndAgent(next_endpoint()) {
    options.broker = endpoint_;
    options.name = "tester";
    agent.emplace(Agent::make(context(), options).value());
    thread_ = std::thread([this] {
      exit_code = agent->run();
      ended = true;
    });
  }
  ~BrokerAndAgent() {
    if (agent) agent->request_stop();
    if (thread_.joinable()) thread_.join();
  }

  // Answers what comes until the fact is true.
  template <class Fact>
  bool serve_until(Fact&& fact) {
    return comes_true([&] {
      while (auto received = channel_->receive()) take(*received);
      return fact();
    });
  }

  void lease(JobSpec spec, const std::vector<Value>& tuples) {
    Lease lease;
    lease.lease = ++leases_;
    lease.job = {1};
    lease.token = {1, leases_};
    lease.first = {next_};
    lease.count = tuples.size();
    lease.attempt = 1;
    lease.spec = {std::move(spec)};
    std::string blob;
    for (const Value& tuple : tuples) append_msgpack(blob, tuple);
    lease.blocks = {
        {static_cast<std::uint32_t>(tuples.size()), static_cast<std::uint32_t>(blob.size())}};
    next_ += tuples.size();
    send(lease, Blob::from(std::move(blob)));
  }

  void stop_job(std::chrono::milliseconds grace) {
    send(StopJob{{1}, static_cast<std::uint64_t>(grace.count())});
  }

  struct Report {
    Results results;
    ResultColumns columns;
    std::vector<Value> values;
  };
  std::optional<Agent> agent;
  std::optional<WorkerHello> hello;
  std::vector<Report> reports;
  std::uint64_t succeeded = 0;
  std::vector<Returned> returned;
  bool goodbye = false;
  bool running = false;  // as the last heartbeat has it
  std::atomic<bool> ended{false};
  std::atomic<int> exit_code{-1};

 private:
  static std::string next_endpoint() {
    static int count = 0;
    return "inproc://agent-test-" + std::to_string(++count);
  }
  void send(const ToWorker& message, const Blob& blob = {}) {
    std::string header;
    encode(header, SessionId{5}, message);
    channel_->send(peer_, header, blob);
  }
  void take(const Received& received) {
    peer_ = received.peer;
    const auto envelope = decode_to_broker(received.header).value();
    const auto* from = std::get_if<FromWorker>(&envelope.message);
    ASSERT_NE(from, nullptr);
    if (const auto* one = std::get_if<WorkerHello>(from)) {
      hello = *one;
      send(WorkerWelcome{one->instance, one->attempt, 2000, 6000, {}});
    } else if (const auto* heartbeat = std::get_if<WorkerHeartbeat>(from)) {
      running = !heartbeat->running.empty();
      send(HeartbeatReply{.list_wanted = false, .number = heartbeat->number});
    } else if (const auto* results = std::get_if<Results>(from)) {
      take_results(*results, received.blob.view());
      send(ReportsTaken{results->report});
    } else if (const auto* back = std::get_if<Returned>(from)) {
      returned.push_back(*back);
      send(ReportsTaken{back->report});
    } else {
      goodbye = true;
    }
  }
  void take_results(const Results& results, std::string_view blob) {
    Report report{results, decode_columns(blob.substr(results.values_bytes)).value(), {}};
    if (results.outcome == Outcome::kSucceeded) {
      succeeded += results.count;
      std::size_t at = 0;
      for (std::uint64_t i = 0; i < results.count; ++i) {
        report.values.push_back(decode_msgpack(blob, at).value());
      }
    }
    reports.push_back(std::move(report));
  }

  std::string endpoint_;
  std::optional<ServerChannel> channel_;
  std::thread thread_;
  PeerId peer_;
  std::uint64_t leases_ = 0;
  std::uint64_t next_ = 0;
};

AgentOptions options(std::uint32_t slots) {
  AgentOptions options;
  options.slots = slots;
  options.allow_exec = true;
  options.reconnect_quietly = true;
  return options;
}

JobSpec function(std::string name) {
  JobSpec spec;
  spec.function = std::move(name);
  return spec;
}

TEST(AgentLoop, RunsWhatIsLeasedOnItsExecutors) {
  BrokerAndAgent both(options(2));
  ASSERT_TRUE(both.serve_until([&] { return both.hello.has_value(); }));
  EXPECT_EQ(both.hello->slots, 2U);
  EXPECT_EQ(both.hello->name, "tester");
  EXPECT_EQ(both.hello->offers.size(), 5U);

  std::vector<Value> tuples;
  for (int i = 0; i < 200; ++i) tuples.emplace_back(Array{i});
  both.lease(function("identity"), tuples);
  ASSERT_TRUE(both.serve_until([&] { return both.succeeded == 200; }));
  for (const auto& report : both.reports) {
    for (std::uint64_t i = 0; i < report.results.count; ++i) {
      EXPECT_EQ(report.values[i], Value(static_cast<std::int64_t>(report.results.first.value + i)));
    }
  }
}

TEST(AgentLoop, ReportsACrashAtOnceAndGoesOn) {
  BrokerAndAgent both(options(1));
  ASSERT_TRUE(both.serve_until([&] { return both.hello.has_value(); }));
  JobSpec spec = function(kCommandFunction);
  spec.argv = {"sh", "-c", "{}"};  // the parent of the command is the executor
  const std::vector<Value> tuples = {Value(Array{"kill -SEGV $PPID; sleep 1000"}),
                                     Value(Array{"echo alive"})};
  both.lease(spec, tuples);
  ASSERT_TRUE(both.serve_until([&] { return both.reports.size() == 2; }));
  const auto& crash = both.reports[0];
  EXPECT_EQ(crash.results.outcome, Outcome::kCrashed);
  EXPECT_EQ(crash.results.first.value, 0U);
  ASSERT_EQ(crash.columns.failures.size(), 1U);
  EXPECT_EQ(crash.columns.failures[0].signal, SIGSEGV);
  EXPECT_THAT(crash.columns.failures[0].message, HasSubstr("Segmentation fault"));
  EXPECT_EQ(crash.columns.failures[0].tuple, packed(tuples[0]));
  EXPECT_EQ(both.reports[1].values.at(0), Value("alive\n"));
}

// A command that says by a file that it runs, and then takes its time.
JobSpec marked_command(const std::string& mark) {
  JobSpec spec = function(kCommandFunction);
  spec.argv = {"sh", "-c", "touch " + mark + "; sleep {}"};
  return spec;
}
std::string mark_path(const std::string& name) {
  return "/tmp/fanmill-" + name + "-" + std::to_string(getpid());
}

TEST(AgentLoop, DrainsWhatRunsAndReturnsTheRest) {
  BrokerAndAgent both(options(1));
  ASSERT_TRUE(both.serve_until([&] { return both.hello.has_value(); }));
  const std::string mark = mark_path("drain");
  both.lease(marked_command(mark), {Value(Array{0.2}), Value(Array{1000}), Value(Array{1000})});
  ASSERT_TRUE(both.serve_until([&] { return std::filesystem::exists(mark); }));
  both.agent->request_drain();
  ASSERT_TRUE(both.serve_until([&] { return both.ended.load() && both.goodbye; }));
  EXPECT_EQ(both.exit_code.load(), 0);
  EXPECT_EQ(both.succeeded, 1U);
  std::uint64_t given_back = 0;
  for (const Returned& one : both.returned) {
    for (const IndexRange& range : one.ranges) given_back += range.count;
  }
  EXPECT_EQ(given_back, 2U);
  std::filesystem::remove(mark);
}

TEST(AgentLoop, StopsAtOnceAndLeavesNoProcess) {
  BrokerAndAgent both(options(1));
  ASSERT_TRUE(both.serve_until([&] { return both.hello.has_value(); }));
  const std::string mark = mark_path("stop");
  const std::string seconds = "20" + std::to_string(getpid());
  both.lease(marked_command(mark), {Value(Array{seconds})});
  ASSERT_TRUE(both.serve_until([&] { return std::filesystem::exists(mark); }));
  both.agent->request_stop();
  ASSERT_TRUE(comes_true([&] { return both.ended.load(); }));
  EXPECT_EQ(both.exit_code.load(), 0);
  EXPECT_TRUE(comes_true([&] { return processes_with(seconds) == 0; }, std::chrono::seconds(1)));
  std::filesystem::remove(mark);
}

// Runs a shell script as the only command of a job until it has made the file $MARK, then stops the
// job.
class StoppedCommand {
 public:
  StoppedCommand(const std::string& script, std::chrono::milliseconds grace)
      : both(options(1)), mark(mark_path("stopped")) {
    EXPECT_TRUE(both.serve_until([&] { return both.hello.has_value(); }));
    JobSpec spec = function(kCommandFunction);
    spec.argv = {"sh", "-c", script, "{}"};
    spec.env = {{"MARK", mark, false}};
    both.lease(spec, {Value(Array{"x"})});
    EXPECT_TRUE(both.serve_until([&] { return std::filesystem::exists(mark); }));
    stopped = std::chrono::steady_clock::now();
    both.stop_job(grace);
  }
  ~StoppedCommand() { std::filesystem::remove(mark); }
  bool given_back() {
    return both.serve_until([&] { return !both.returned.empty(); });
  }
  auto since_stop() const { return std::chrono::steady_clock::now() - stopped; }

  BrokerAndAgent both;
  std::string mark;
  std::chrono::steady_clock::time_point stopped;
};

TEST(AgentCancel, ACommandGetsSigtermAtOnceAndGoesBackWhenItEndsByIt) {
  StoppedCommand one("sleep 1000 & touch $MARK; wait", kDeadline);
  ASSERT_TRUE(one.given_back());
  EXPECT_LT(one.since_stop(), kDeadline / 2);
  EXPECT_TRUE(one.both.reports.empty());
}

TEST(AgentCancel, WhatACommandStillFinishesWithinTheGraceCounts) {
  StoppedCommand one("trap 'echo saved; exit 0' TERM; touch $MARK; while :; do sleep 0.01; done",
                     kDeadline);
  ASSERT_TRUE(one.both.serve_until([&] { return one.both.succeeded == 1; }));
  EXPECT_EQ(one.both.reports[0].values.at(0), Value("saved\n"));
}

TEST(AgentCancel, ACommandThatIgnoresSigtermIsKilledAsAGroupAfterTheGrace) {
  const std::string seconds = "40" + std::to_string(getpid());
  constexpr std::chrono::milliseconds kGrace(300);
  StoppedCommand one(
      "trap '' TERM; sleep " + seconds + " & touch $MARK; while :; do sleep " + seconds + "; done",
      kGrace);
  ASSERT_TRUE(one.given_back());
  EXPECT_GE(one.since_stop(), kGrace);
  EXPECT_TRUE(comes_true([&] { return processes_with(seconds) == 0; }));
  EXPECT_TRUE(one.both.reports.empty());
  EXPECT_EQ(one.both.succeeded, 0U);
}

TEST(AgentCancel, AFunctionThatDoesNotLookIsKilledAfterTheGrace) {
  BrokerAndAgent both(options(1));
  ASSERT_TRUE(both.serve_until([&] { return both.hello.has_value(); }));
  both.lease(function("sleep"), {Value(Array{1000.0})});
  ASSERT_TRUE(both.serve_until([&] { return both.running; }));
  both.stop_job(std::chrono::milliseconds(50));
  ASSERT_TRUE(both.serve_until([&] { return !both.returned.empty(); }));
  EXPECT_TRUE(both.reports.empty());
}

TEST(AgentLoop, LeavesWithAFarewellWhenItHasNothingToDo) {
  BrokerAndAgent both(options(2));
  ASSERT_TRUE(both.serve_until([&] { return both.hello.has_value(); }));
  both.agent->request_drain();
  ASSERT_TRUE(both.serve_until([&] { return both.ended.load() && both.goodbye; }));
  EXPECT_EQ(both.exit_code.load(), 0);
}

// fanmill-worker itself, as a child over ipc.
class WorkerProcess {
 public:
  explicit WorkerProcess(const std::string& endpoint) {
    std::string program = executor_path();
    program.replace(program.rfind('/') + 1, std::string::npos, "fanmill-worker");
    pid = vfork();
    if (pid == 0) {
      execl(program.c_str(), program.c_str(), "--broker", endpoint.c_str(), "--slots", "2",
            "--name", "tester", "--allow-exec", nullptr);
      _exit(127);
    }
  }
  ~WorkerProcess() {
    if (!waited_) {
      ::kill(pid, SIGKILL);
      wait();
    }
  }
  int wait() {
    int status = 0;
    waitpid(pid, &status, 0);
    waited_ = true;
    return status;
  }
  pid_t pid = -1;

 private:
  bool waited_ = false;
};

std::string ipc_directory() {
  std::string path = mark_path("ipc");
  std::filesystem::create_directory(path);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

TEST(WorkerProgram, LeavesNothingWhenItIsKilled) {
  const std::string directory = ipc_directory();
  BrokerAndAgent broker("ipc://" + directory + "/killed");
  WorkerProcess worker("ipc://" + directory + "/killed");
  ASSERT_TRUE(broker.serve_until([&] { return broker.hello.has_value(); }));
  const std::string seconds = "30" + std::to_string(getpid());
  JobSpec spec = function(kCommandFunction);
  spec.argv = {"sh", "-c", "sleep {} & sleep {}"};
  broker.lease(spec, {Value(Array{seconds}), Value(Array{seconds})});
  ASSERT_TRUE(broker.serve_until([&] { return processes_with(seconds) >= 6; }));
  ::kill(worker.pid, SIGKILL);
  worker.wait();
  EXPECT_TRUE(comes_true([&] { return processes_with(seconds) == 0; }, std::chrono::seconds(1)));
  std::filesystem::remove_all(directory);
}

TEST(WorkerProgram, DrainsAtTheFirstSignal) {
  const std::string directory = ipc_directory();
  BrokerAndAgent broker("ipc://" + directory + "/drained");
  WorkerProcess worker("ipc://" + directory + "/drained");
  ASSERT_TRUE(broker.serve_until([&] { return broker.hello.has_value(); }));
  const std::string mark = mark_path("signal");
  broker.lease(marked_command(mark), {Value(Array{0.2})});
  ASSERT_TRUE(broker.serve_until([&] { return std::filesystem::exists(mark); }));
  ::kill(worker.pid, SIGTERM);
  ASSERT_TRUE(broker.serve_until([&] { return broker.goodbye; }));
  EXPECT_EQ(broker.succeeded, 1U);
  const int status = worker.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  std::filesystem::remove(mark);
  std::filesystem::remove_all(directory);
}

TEST(AgentMake, RefusesAnExecutorThatIsNotThere) {
  AgentOptions wrong = options(1);
  wrong.executor_path = "/nonexistent";
  const auto agent = Agent::make(context(), wrong);
  ASSERT_FALSE(agent);
  EXPECT_EQ(agent.error().code, ErrorCode::kSystem);
}

TEST(AgentMake, TakesTheUsableCoresForAuto) {
  const auto agent = Agent::make(context(), options(0));
  ASSERT_TRUE(agent);
  EXPECT_EQ(agent->slots(), usable_cores());
  EXPECT_GE(usable_cores(), 1U);
}

}  // namespace
}  // namespace fanmill::worker
