#include "worker/report_queue.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "proto/limits.hpp"

namespace fanmill::worker {
namespace {

using namespace std::chrono_literals;

constexpr SessionId kSession{1};
constexpr std::uint64_t kMany = 10'000;

struct ManyReports : ReportQueue {
  ManyReports() {
    for (std::uint64_t i = 0; i < kMany; ++i) add(Results{}, {});
  }
  std::uint64_t sent(MonoTime now) {
    std::vector<ToSend> out;
    send(out, kSession, {}, now);
    return out.size();
  }
};

TEST(ReportQueue, SendsAtOnceWhatIsMadeWithinASession) {
  ReportQueue empty;
  empty.begin_session();
  ManyReports queue;
  EXPECT_EQ(queue.sent(MonoTime{0s}), kMany);
}

// What is lost on the way costs everything behind it: all at once would be sent many times over.
TEST(ReportQueue, SendsWhatAnEarlierSessionLeftInPartsAsTheyAreTaken) {
  ManyReports queue;
  queue.begin_session();
  std::uint64_t all = queue.sent(MonoTime{0s});
  EXPECT_EQ(all, 256u);
  EXPECT_EQ(queue.sent(MonoTime{1ms}), 0u);
  while (all < kMany) {
    ASSERT_TRUE(queue.taken(all, MonoTime{2ms}));
    const std::uint64_t more = queue.sent(MonoTime{2ms});
    ASSERT_LE(more, 256u);
    ASSERT_GT(more, 0u);
    all += more;
  }
  EXPECT_EQ(all, kMany);
}

TEST(ReportQueue, BeginsAgainInPartsWhereNothingIsTaken) {
  ManyReports queue;
  EXPECT_EQ(queue.sent(MonoTime{0s}), kMany);
  EXPECT_EQ(queue.sent(MonoTime{0s} + limits::kResendAfter), 256u);
}

}  // namespace
}  // namespace fanmill::worker
