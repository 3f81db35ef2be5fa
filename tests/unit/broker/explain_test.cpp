// Why nothing of a job runs: one sentence for each reason.
#include "broker/core/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "broker/core/fair_shares.hpp"
#include "broker/core/pausing.hpp"
#include "broker/core/producers.hpp"
#include "broker/core/rates.hpp"
#include "broker/core/ventilator.hpp"
#include "broker/core/workers.hpp"

namespace fanmill::broker {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// The rooms of the core without the core around them.
class Explain : public ::testing::Test {
 protected:
  Explain() : world_(CoreConfig{}) {
    on_producer_hello(world_, {1}, ProducerHello{{1}, 1, "p", 1, "u"});
    producer_ = world_.producers.begin()->second.get();
  }

  Worker& add_worker(const std::string& name, std::vector<FunctionOffer> offers = {{"f", "()"}},
                     std::vector<Label> labels = {}) {
    WorkerHello hello;
    hello.instance = {++instances_};
    hello.attempt = 1;
    hello.name = hello.host = name;
    hello.slots = 1;
    hello.offers = std::move(offers);
    hello.labels = std::move(labels);
    hello.credit = {1000, 1 << 20};
    on_worker_hello(world_, {instances_}, hello);
    return *world_.worker(world_.worker_of.at({instances_}));
  }

  Job& add_job(const std::string& key, std::uint64_t tuples, JobOptions options = {}) {
    if (options.spec.function.empty()) options.spec.function = "f";
    on_open(world_, *producer_, OpenJob{key, options});
    Job& job = *world_.job(world_.job_of_key.at(key));
    if (tuples > 0) {
      const auto few = static_cast<std::uint32_t>(tuples);
      on_submit(world_, *producer_, Submit{job.id, {0}, tuples, {{few, few}}},
                Blob::from(std::string(tuples, 't')));
    }
    settle();
    return job;
  }

  // As at the end of a turn.
  void settle() {
    for (const auto& [id, job] : world_.jobs) {
      job->dirty = false;
      place(world_, *job);
    }
    world_.dirty_jobs.clear();
    dispatch(world_);
    for (const auto& [id, job] : world_.jobs) job->dirty = false;
    world_.dirty_jobs.clear();
  }

  World world_;
  Producer* producer_ = nullptr;
  std::uint64_t instances_ = 10;
};

TEST_F(Explain, SaysNothingOfAJobThatRunsOrHasEnded) {
  add_worker("w");
  Job& runs = add_job("runs", 3);
  EXPECT_THAT(reason_of(world_, runs), IsEmpty());
  Job& over = add_job("over", 0);
  over.closed = true;
  EXPECT_THAT(reason_of(world_, over), IsEmpty());
}

TEST_F(Explain, NamesAPauseAndHowToEndIt) {
  add_worker("w");
  Job& job = add_job("j", 0);
  pause(world_, job);
  EXPECT_THAT(reason_of(world_, job),
              AllOf(StartsWith("it is paused"), HasSubstr("fanmill resume 1-1")));
  resume(world_, job);
  pause_without_producer(world_, job);
  EXPECT_THAT(reason_of(world_, job), StartsWith("its producer is gone"));
}

TEST_F(Explain, WaitsForTuples) {
  add_worker("w");
  EXPECT_EQ(reason_of(world_, add_job("j", 0)), "it waits for tuples");
}

TEST_F(Explain, WaitsForTheNextAttempt) {
  add_worker("w");
  Job& job = add_job("j", 0);
  job.delayed.insert({world_.now + 1500ms, 0});
  EXPECT_EQ(reason_of(world_, job), "1 failed task waits to be tried again, the first in 1500 ms");
}

TEST_F(Explain, NamesTheReaderThatIsBehind) {
  add_worker("w");
  JobOptions options;
  options.forget_when_delivered = true;
  Job& job = add_job("j", 0, options);
  job.next_index = 1;
  job.unacknowledged_bytes = limits::kResultsCap + 1;
  EXPECT_THAT(reason_of(world_, job),
              AllOf(StartsWith("its reader is behind"), HasSubstr("4096 MiB")));
}

TEST_F(Explain, NamesTheNearestFunctionIfNobodyOffersIt) {
  Worker& worker = add_worker("w", {{"resize", ""}});
  JobOptions options;
  options.spec.function = "resize";
  Job& job = add_job("j", 0, options);
  job.options.spec.function = "risize";
  job.next_index = 1;
  EXPECT_THAT(reason_of(world_, job), HasSubstr("did you mean 'resize'?"));
  end_worker(world_, worker);
  EXPECT_THAT(reason_of(world_, job), HasSubstr("no worker is connected"));
}

TEST_F(Explain, CountsWorkersWithoutItsLabelsAndWithAnotherSignature) {
  Worker& first = add_worker("first", {{"f", "(x: int)"}}, {{"gpu", "yes"}});
  add_worker("second", {{"f", "(x: int)"}});
  add_worker("third", {{"f", "(x: str)"}}, {{"gpu", "yes"}});
  add_worker("fourth", {{"f", "(x: int)"}}, {{"gpu", "yes"}}).draining = true;
  JobOptions options;
  options.where = {{"gpu", "yes"}};
  first.draining = true;
  world_.touch(first);
  Job& job = add_job("j", 2, options);
  EXPECT_EQ(job.signature, "(x: int)");
  EXPECT_EQ(reason_of(world_, job),
            "none of the 4 workers that offer 'f' can take it: 1 without gpu=yes (such as second), "
            "1 with another signature than (x: int) (such as third), 2 away or draining");
}

TEST_F(Explain, NamesTheJobThatGoesFirst) {
  add_worker("w");
  JobOptions urgent;
  urgent.priority = 7;
  urgent.name = "urgent";
  add_job("first", 100, urgent);
  EXPECT_EQ(reason_of(world_, add_job("second", 5)),
            "'urgent' (1-1) goes first: its priority is 7, and of this one 0");
}

TEST_F(Explain, SaysThatTheSlotsAreBusyWithOthers) {
  add_worker("w");
  add_job("first", 2);
  Job& job = add_job("second", 0);
  job.next_index = 1;
  EXPECT_EQ(reason_of(world_, job), "all 1 slot that could run it are busy with 1 other job");
}

TEST(MovingRate, IsOfTheLastTenSeconds) {
  const MonoTime begin{100s};
  MovingRate rate(begin);
  EXPECT_EQ(rate.per_second(begin), 0);
  for (int i = 0; i < 300; ++i) rate.count(begin + i * 100ms, 7);
  EXPECT_NEAR(rate.per_second(begin + 30s), 70, 1);
  EXPECT_NEAR(rate.per_second(begin + 35s), 35, 7);
  EXPECT_EQ(rate.per_second(begin + 41s), 0);
}

TEST(MovingRate, OfWhatJustBeganIsOfTheTimeSinceThen) {
  const MonoTime begin{100s + 300ms};
  MovingRate rate(begin);
  rate.count(begin + 500ms, 50);
  EXPECT_NEAR(rate.per_second(begin + 500ms), 100, 1);
}

}  // namespace
}  // namespace fanmill::broker
