// Commands under a real executor: values, failures, limits, and that nothing of them is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/worker/pool_harness.hpp"

namespace fanmill::worker {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr JobId kJob{7};

// A duration that no other process sleeps for, to find one by its command line.
std::string unique_seconds(int which) {
  return "10" + std::to_string(getpid()) + std::to_string(which);
}

TEST(Command, GivesItsOutputAsItsValue) {
  PoolHarness harness;
  harness.bind_command(kJob, {"printf", "%s-%s", "{1}", "{2}"});
  harness.deal(kJob, {Array{"a b", 7}, Array{"ü", 2.5}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[0].value, Value("a b-7"));
  EXPECT_EQ(harness.ended[1].value, Value("ü-2.5"));
}

TEST(Command, GivesBytesWhereTheyAreNoText) {
  PoolHarness harness;
  harness.bind_command(kJob, {"printf", "{}"});
  harness.deal(kJob, {Array{"\\377\\001"}, Array{""}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[0].value, Value(Bytes{"\xff\x01"}));
  EXPECT_EQ(harness.ended[1].value, Value(""));
}

TEST(Command, GivesLongOutputWhole) {
  PoolHarness harness;
  harness.bind_command(kJob, {"sh", "-c", "head -c {} /dev/zero | tr '\\0' x"});
  harness.deal(kJob, {Array{31}, Array{32}, Array{256}, Array{70000}, Array{5000000}});
  ASSERT_TRUE(harness.run_until_ended(5));
  for (std::size_t i = 0; i < 5; ++i) {
    const std::size_t sizes[] = {31, 32, 256, 70000, 5000000};
    EXPECT_EQ(harness.ended[i].value, Value(std::string(sizes[i], 'x')));
  }
}

TEST(Command, FailsWithItsExitStatusAndItsOutputs) {
  PoolHarness harness;
  harness.bind_command(kJob, {"sh", "-c", "echo out; echo err >&2; exit {}"});
  harness.deal(kJob, {Array{3}, Array{0}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[0].outcome, Outcome::kFailed);
  EXPECT_EQ(harness.ended[0].failure.code, ErrorCode::kFunctionFailed);
  EXPECT_EQ(harness.ended[0].failure.message, "exit status 3");
  EXPECT_EQ(harness.ended[0].failure.exit_code, 3);
  EXPECT_EQ(harness.ended[0].out, "out\n");
  EXPECT_EQ(harness.ended[0].err, "err\n");
  EXPECT_EQ(harness.ended[1].value, Value("out\n"));
  EXPECT_EQ(harness.ended[1].err, "err\n");
  EXPECT_EQ(harness.ended[1].out, "");
}

TEST(Command, FailsWithTheSignalThatEndedIt) {
  PoolHarness harness;
  harness.bind_command(kJob, {"sh", "-c", "kill -{} $$"});
  harness.deal(kJob, {Array{9}});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].failure.message, "killed by signal 9 (Killed)");
  EXPECT_EQ(harness.ended[0].failure.signal, 9);
  EXPECT_EQ(harness.ended[0].failure.exit_code, -1);
}

TEST(Command, FailsByNameWhereItCannotBeStarted) {
  PoolHarness harness;
  harness.bind_command(kJob, {"{}"});
  harness.deal(kJob, {Array{"fanmill-no-such-program"}, Array{"/etc/passwd"}, Array{""}});
  ASSERT_TRUE(harness.run_until_ended(3));
  EXPECT_EQ(harness.ended[0].failure.message,
            "cannot run 'fanmill-no-such-program': No such file or directory");
  EXPECT_EQ(harness.ended[0].failure.exit_code, 127);
  EXPECT_EQ(harness.ended[0].failure.code, ErrorCode::kFunctionFailed);
  EXPECT_EQ(harness.ended[1].failure.message, "cannot run '/etc/passwd': Permission denied");
  EXPECT_EQ(harness.ended[2].failure.message, "cannot run '': No such file or directory");
}

TEST(Command, FailsByNameWhereItPrintsTooMuch) {
  PoolHarness harness;
  harness.bind_command(kJob, {"yes", "{}"}, 100000);
  harness.deal(kJob, {Array{"a"}});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].failure.code, ErrorCode::kLimit);
  EXPECT_THAT(harness.ended[0].failure.message, HasSubstr("100000 bytes"));
  EXPECT_LT(harness.ended[0].out.size(), 40000U);
}

TEST(Command, KeepsHeadAndTailOfItsErrors) {
  PoolHarness harness;
  harness.bind_command(kJob, {"sh", "-c", "echo begin >&2; seq {} >&2; echo end >&2"});
  harness.deal(kJob, {Array{100000}});
  ASSERT_TRUE(harness.run_until_ended(1));
  const std::string& err = harness.ended[0].err;
  EXPECT_TRUE(err.starts_with("begin\n1\n"));
  EXPECT_TRUE(err.ends_with("100000\nend\n"));
  EXPECT_THAT(err, HasSubstr("bytes left out"));
  EXPECT_LT(err.size(), limits::kCaptureHead + limits::kCaptureTail + 100);
}

TEST(Command, ReadsNothingFromStandardInput) {
  PoolHarness harness;
  harness.bind_command(kJob, {"cat"});
  harness.deal(kJob, {Array{}});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].value, Value(""));
}

TEST(Command, GetsNoDescriptorsButTheStandardOnes) {
  PoolHarness harness;
  harness.bind_command(kJob, {"sh", "-c", "exec ls /proc/self/fd"});
  harness.deal(kJob, {Array{}});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].value, Value("0\n1\n2\n3\n"));  // 3 is the directory it lists
}

TEST(Command, RunsAScriptWithoutAnInterpreterLine) {
  PoolHarness harness;
  const std::string path = "/tmp/fanmill-script-" + std::to_string(getpid());
  std::ofstream(path) << "echo script \"$1\"\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  harness.bind_command(kJob, {path});
  harness.deal(kJob, {Array{"x"}});
  EXPECT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].value, Value("script x\n"));
  std::filesystem::remove(path);
}

TEST(Command, DoesNotWaitForABackgroundProcessThatKeepsItsOutput) {
  PoolHarness harness;
  const std::string seconds = unique_seconds(1);
  harness.bind_command(kJob, {"sh", "-c", "sleep {} & echo started"});
  harness.deal(kJob, {Array{seconds}});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].value, Value("started\n"));
  EXPECT_TRUE(comes_true([&] { return processes_with(seconds) == 0; }));
}

JobSpec command(std::vector<std::string> argv) {
  JobSpec spec;
  spec.function = kCommandFunction;
  spec.argv = std::move(argv);
  return spec;
}

TEST(Command, ReadsItsInputWhateverItsLength) {
  PoolHarness harness;
  JobSpec spec = command({"sh", "-c", "cat | wc -c; cat | wc -c"});
  spec.input = {"{}"};
  harness.bind(kJob, spec);
  harness.deal(kJob, {Array{std::string(5'000'000, 'x')}, Array{""}, Array{"a\nb"}});
  ASSERT_TRUE(harness.run_until_ended(3));
  EXPECT_EQ(harness.ended[0].value, Value("5000000\n0\n"));
  EXPECT_EQ(harness.ended[1].value, Value("0\n0\n"));
  EXPECT_EQ(harness.ended[2].value, Value("3\n0\n"));
}

TEST(Command, NeedNotReadItsInput) {
  PoolHarness harness;
  JobSpec spec = command({"true"});
  spec.input = {std::string(limits::kArgumentBytesMax, 'x')};
  harness.bind(kJob, spec);
  harness.deal(kJob, {Array{}});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].value, Value(""));
}

TEST(Command, RunsInItsDirectory) {
  PoolHarness harness;
  JobSpec spec = command({"pwd"});
  spec.chdir = "/{}";
  harness.bind(kJob, spec);
  harness.deal(kJob, {Array{"usr"}, Array{"no-such"}, Array{"etc/passwd"}, Array{"usr/bin"}});
  ASSERT_TRUE(harness.run_until_ended(4));
  EXPECT_EQ(harness.ended[0].value, Value("/usr\n"));
  EXPECT_EQ(harness.ended[1].failure.message,
            "cannot change to the directory '/no-such': No such file or directory");
  EXPECT_EQ(harness.ended[1].failure.exit_code, 127);
  EXPECT_EQ(harness.ended[2].failure.message,
            "cannot change to the directory '/etc/passwd': Not a directory");
  EXPECT_EQ(harness.ended[3].value, Value("/usr/bin\n"));
}

TEST(Command, GetsItsVariablesBesideOurs) {
  setenv("FANMILL_TEST_OURS", "ours", 1);
  setenv("FANMILL_TEST_HIDDEN", "hidden", 1);
  PoolHarness harness;
  JobSpec spec = command(
      {"sh", "-c", "echo $FANMILL_TEST_OURS,$FANMILL_TEST_HIDDEN,$A,$B; env | grep -c ^A="});
  spec.env = {{"A", "first", false},
              {"FANMILL_TEST_HIDDEN", "set", false},
              {"B", "<{}>", true},
              {"A", "{}", false}};
  harness.bind(kJob, spec);
  harness.deal(kJob, {Array{"v"}, Array{"w x"}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[0].value, Value("ours,set,{},<v>\n1\n"));
  EXPECT_EQ(harness.ended[1].value, Value("ours,set,{},<w x>\n1\n"));
}

TEST(Command, IsLookedForInThePathThatItIsGiven) {
  PoolHarness harness;
  JobSpec spec = command({"env"});
  spec.env = {{"PATH", "{}", true}};
  harness.bind(kJob, spec);
  harness.deal(kJob, {Array{"/usr/bin"}, Array{"/nowhere"}, Array{"/usr/bin"}});
  ASSERT_TRUE(harness.run_until_ended(3));
  EXPECT_EQ(harness.ended[0].outcome, Outcome::kSucceeded);
  EXPECT_EQ(harness.ended[1].failure.message, "cannot run 'env': No such file or directory");
  EXPECT_EQ(harness.ended[2].outcome, Outcome::kSucceeded);
}

TEST(Command, RefusesZeroBytesInItsSetting) {
  PoolHarness harness;
  JobSpec spec = command({"true"});
  spec.env = {{"A", "{}", true}};
  harness.bind(kJob, spec);
  harness.deal(kJob, {Array{std::string("a\0b", 3)}});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].failure.code, ErrorCode::kBadArguments);
  EXPECT_THAT(harness.ended[0].failure.message, HasSubstr("the variable A"));
}

TEST(Command, MayPrintExactlyItsLimit) {
  PoolHarness harness;
  harness.bind_command(kJob, {"head", "-c", "{}", "/dev/zero"}, 100000);
  harness.deal(kJob, {Array{100000}, Array{100001}});
  ASSERT_TRUE(harness.run_until_ended(2));
  EXPECT_EQ(harness.ended[0].outcome, Outcome::kSucceeded);
  EXPECT_EQ(harness.ended[1].failure.code, ErrorCode::kLimit);
}

// What the run of a command leaves when somebody above it is killed: nothing.
TEST(Command, LeavesNothingWhenItsExecutorIsKilled) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  PoolHarness harness;
  const std::string seconds = unique_seconds(2);
  harness.bind_command(kJob, {"sh", "-c", "sleep {} & sleep {}"});
  harness.deal(kJob, {Array{seconds}});
  ASSERT_TRUE(harness.run_until([&] { return processes_with(seconds) >= 3; }));
  ::kill(*harness.pool.pid_of(0), SIGKILL);
  ASSERT_TRUE(harness.run_until([&] { return !harness.died.empty(); }));
  EXPECT_TRUE(comes_true([&] { return processes_with(seconds) == 0; }, std::chrono::seconds(1)));
  EXPECT_EQ(harness.died[0].signal, SIGKILL);
  EXPECT_EQ(harness.died[0].started, 1U);
  EXPECT_EQ(harness.died[0].finished, 0U);
}

TEST(Command, LeavesNothingWhenThePoolEnds) {
  const std::string seconds = unique_seconds(3);
  {
    PoolHarness harness;
    harness.bind_command(kJob, {"sh", "-c", "sleep {} & sleep {}"});
    harness.deal(kJob, {Array{seconds}});
    ASSERT_TRUE(harness.run_until([&] { return processes_with(seconds) >= 3; }));
  }
  EXPECT_TRUE(comes_true([&] { return processes_with(seconds) == 0; }, std::chrono::seconds(1)));
}

TEST(Command, LeavesNothingWhenItsAgentIsKilled) {
  const std::string seconds = unique_seconds(4);
  const pid_t agent = fork();
  ASSERT_GE(agent, 0);
  if (agent == 0) {
    PoolHarness harness;
    harness.bind_command(kJob, {"sh", "-c", "sleep {} & sleep {}"});
    harness.deal(kJob, {Array{seconds}});
    harness.run_until([] { return false; });
    _exit(0);
  }
  EXPECT_TRUE(comes_true([&] { return processes_with(seconds) >= 3; }));
  ::kill(agent, SIGKILL);
  waitpid(agent, nullptr, 0);
  EXPECT_TRUE(comes_true([&] { return processes_with(seconds) == 0; }, std::chrono::seconds(1)));
}

}  // namespace
}  // namespace fanmill::worker
