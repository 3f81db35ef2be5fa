#include "agent_harness.hpp"
#include "proto/limits.hpp"

namespace fanmill::worker {
namespace {

// Three reports were sent, of tasks 0, 1 and 2; task 3 is at the executor.
struct ThreeReports : Harness {
  ThreeReports() : Harness(1) {
    start();
    lease(make_lease(1, 5, 0, 4));
    for (std::uint64_t i = 0; i < 3; ++i) {
      done(0, i, 1, 2ms);
      EXPECT_EQ(expect_results(i, 1).report, i + 1);
    }
    duties.clear();
    silent();
  }
};

TEST(AgentReports, AreSentAgainFromTheFirstThatWasNotTaken) {
  ThreeReports h;
  h.from_broker(ReportsTaken{1});
  h.pass(999ms);
  h.silent();
  h.pass(1ms);
  EXPECT_EQ(h.expect_results(1, 1).report, 2u);
  EXPECT_EQ(h.expect_results(2, 1).report, 3u);
  h.silent();
}

TEST(AgentReports, ThatAreTakenAreNotSentAgain) {
  ThreeReports h;
  h.from_broker(ReportsTaken{3});
  h.from_broker(ReportsTaken{2});
  h.pass(1500ms);
  h.silent();
  EXPECT_EQ(h.core.view().unacknowledged_reports, 0u);
}

TEST(AgentReports, AcknowledgedBeyondTheLastOneEndTheSession) {
  ThreeReports h;
  h.from_broker(ReportsTaken{4});
  EXPECT_FALSE(h.core.view().connected);
}

TEST(AgentReports, AreClaimedAndSentAgainUnderFreshNumbersInTheNextSession) {
  ThreeReports h;
  h.from_broker(ReportsTaken{1});
  h.step(BrokerLost{});
  h.pass(100ms);
  h.connect();
  const auto hello = h.expect_sent<WorkerHello>();
  ASSERT_EQ(hello.claims.size(), 1u);
  EXPECT_EQ(hello.claims[0].unfinished, (std::vector<IndexRange>{{{1}, 3}}));
  h.silent();
  h.welcome(2, {token(5)}, SessionId{42});
  EXPECT_EQ(h.expect_results(1, 1).report, 1u);
  EXPECT_EQ(h.expect_results(2, 1).report, 2u);
  h.silent();
  h.from_broker(ReportsTaken{2}, {}, SessionId{42});
  EXPECT_EQ(h.core.view().unacknowledged_reports, 0u);
}

TEST(AgentReports, OfALeaseThatWasNotKeptAreSentAllTheSame) {
  ThreeReports h;
  h.step(BrokerLost{});
  h.pass(100ms);
  h.connect();
  h.expect_sent<WorkerHello>();
  h.welcome(2, {}, SessionId{42});
  for (std::uint64_t i = 0; i < 3; ++i) h.expect_results(i, 1);
}

TEST(AgentReports, MadeWhileNobodyListensWaitForTheNextSession) {
  ThreeReports h;
  h.from_broker(ReportsTaken{3});
  h.step(BrokerLost{});
  h.done(0, 3, 1);
  h.silent();
  h.pass(100ms);
  h.connect();
  EXPECT_EQ(h.expect_sent<WorkerHello>().claims[0].unfinished, (std::vector<IndexRange>{{{3}, 1}}));
  h.welcome(2, {token(5)}, SessionId{42});
  EXPECT_EQ(h.expect_results(3, 1).report, 1u);
}

TEST(AgentReports, NothingIsDealtWhileTooManyBytesAreNotTaken) {
  Harness h(1);
  h.start(false);
  h.lease(make_lease(1, 5, 0, 3));
  h.duties.clear();
  const auto big = [&](std::uint64_t position) {
    h.step(ExecutorDone{0,
                        {position, 1, Outcome::kSucceeded, limits::kReportsUnackedBytesMax, 1, {}},
                        Blob::from(std::string(limits::kReportsUnackedBytesMax, '\xc0'))});
  };
  big(0);
  h.expect_results(0, 1);
  h.silent();
  h.from_broker(ReportsTaken{1});
  h.expect_work(0, 1, 1, 1);
}

TEST(AgentReports, OfManyBytesAreSentAgainAFewAtATime) {
  Harness h(1);
  h.start(false);
  h.lease(make_lease(1, 5, 0, 4));
  const std::size_t half = limits::kMiB / 2;
  for (std::uint64_t i = 0; i < 4; ++i) {
    h.step(ExecutorDone{
        0, {i, 1, Outcome::kSucceeded, half, 1, {}}, Blob::from(std::string(half, '\xc0'))});
    h.expect_results(i, 1);
  }
  h.duties.clear();
  h.pass(1s);
  h.expect_results(0, 1);
  h.expect_results(1, 1);
  h.silent();
  h.from_broker(ReportsTaken{1});
  EXPECT_EQ(h.expect_results(2, 1).report, 3u);
  h.silent();
  h.from_broker(ReportsTaken{3});
  EXPECT_EQ(h.expect_results(3, 1).report, 4u);
  h.silent();
}

}  // namespace
}  // namespace fanmill::worker
