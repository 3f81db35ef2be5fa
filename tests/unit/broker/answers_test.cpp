// What is told to those who ask, as PROTOCOL.md, 1.9, has it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

json answer(const Stage& stage) { return json::from_msgpack(stage.answer().view()); }

std::vector<std::string> keys_of(const json& document) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : document.items()) keys.push_back(key);
  return keys;
}

json job(Stage& stage, const std::string& selector = "last", Topic topic = Topic::kJobs) {
  stage.ask("p", topic, selector);
  return answer(stage).at(0);
}

std::vector<std::string> ids(Stage& stage, const std::string& selector) {
  stage.ask("p", Topic::kJobs, selector);
  std::vector<std::string> chosen;
  for (const json& one : answer(stage)) chosen.push_back(one.at("id"));
  return chosen;
}

void set_up(Stage& stage, std::uint32_t slots = 2, JobOptions options = kept_job()) {
  stage.add_worker("w", slots);
  stage.add_producer("p");
  stage.open("p", "key", std::move(options));
  stage.skip();
}

TEST(Answers, NameTheRequest) {
  Stage stage;
  set_up(stage);
  stage.ask("p", Topic::kJobs);
  EXPECT_THAT(stage.take(), ElementsAre("after p: answer #1"));
}

TEST(Answers, WaitForWhatTheyTell) {
  Stage stage;
  set_up(stage);
  stage.commits_at_once = false;
  stage.submit("p", 1, 0, 1);
  stage.skip();
  stage.ask("p", Topic::kJobs);
  EXPECT_THAT(stage.take(), ElementsAre("after p: answer #1"));
}

TEST(JobReport, HasEveryKey) {
  Stage stage;
  JobOptions options = kept_job();
  options.name = "sweep";
  options.priority = -3;
  options.keep_ms = 5000;
  set_up(stage, 2, options);
  stage.submit("p", 1, 0, 10);
  stage.pass(1500ms);
  stage.results("w", 1, 0, 1, Outcome::kFailed, 1ms, 30);
  const json told = job(stage);
  EXPECT_THAT(keys_of(told),
              UnorderedElementsAre("id", "name", "key", "function", "command", "names", "state",
                                   "reason", "priority", "where", "age_ms", "ended_ms", "closed",
                                   "kept", "keep_ms", "counts", "rate", "mean_ns", "eta_ms",
                                   "producer", "tuple_bytes", "result_bytes", "halted", "rounds"));
  EXPECT_EQ(told.at("id"), "1-1");
  EXPECT_EQ(told.at("name"), "sweep");
  EXPECT_EQ(told.at("key"), "key");
  EXPECT_EQ(told.at("function"), "f");
  EXPECT_EQ(told.at("command"), json::array());
  EXPECT_EQ(told.at("state"), "running");
  EXPECT_EQ(told.at("reason"), "");
  EXPECT_EQ(told.at("priority"), -3);
  EXPECT_EQ(told.at("where"), json::object());
  EXPECT_EQ(told.at("age_ms"), 1500);
  EXPECT_TRUE(told.at("ended_ms").is_null());
  EXPECT_EQ(told.at("closed"), false);
  EXPECT_EQ(told.at("kept"), true);
  EXPECT_EQ(told.at("keep_ms"), 5000);
  const auto running = told.at("counts").at("running").get<std::uint64_t>();
  EXPECT_GT(running, 0U);
  EXPECT_EQ(told.at("counts"), json({{"accepted", 10},
                                     {"waiting", 9 - running},
                                     {"running", running},
                                     {"succeeded", 0},
                                     {"failed", 1},
                                     {"dead_lettered", 0},
                                     {"cancelled", 0}}));
  EXPECT_GT(told.at("rate").get<double>(), 0.0);
  EXPECT_EQ(told.at("mean_ns"), 1'000'000);
  EXPECT_TRUE(told.at("eta_ms").is_null()) << "nobody knows what will still come";
  EXPECT_EQ(told.at("producer"), "p@h pid 1");
  EXPECT_EQ(told.at("tuple_bytes"), 40);
  EXPECT_EQ(told.at("result_bytes"), 30);
  stage.close("p", 1, 10);
  EXPECT_GT(job(stage).at("eta_ms").get<std::uint64_t>(), 0U);
}

TEST(JobReport, NamesItsState) {
  Stage stage;
  set_up(stage);
  EXPECT_EQ(job(stage).at("state"), "open");
  stage.submit("p", 1, 0, 2);
  EXPECT_EQ(job(stage).at("state"), "running");
  stage.steer("p", Steering::kPause, {1});
  EXPECT_EQ(job(stage).at("state"), "paused");
  stage.steer("p", Steering::kResume, {1});
  stage.results("w", 1, 0, 1);
  stage.results("w", 2, 1, 1);
  stage.close("p", 1, 2);
  EXPECT_EQ(job(stage).at("state"), "done");
  EXPECT_EQ(job(stage).at("ended_ms"), 0);
  JobOptions options = kept_job();
  stage.open("p", "key2", options);
  stage.submit("p", 2, 0, 2);
  stage.results("w", 3, 0, 1, Outcome::kFailed);
  stage.results("w", 4, 1, 1);
  stage.close("p", 2, 2);
  EXPECT_EQ(job(stage).at("state"), "failed");
  stage.open("p", "key3", options);
  stage.cancel("p", 3, 0);
  EXPECT_EQ(job(stage).at("state"), "cancelled");
  stage.gone("w");
  stage.open("p", "key", options);
  stage.goodbye("p");
  stage.add_producer("p");
  EXPECT_EQ(job(stage).at("producer"), "");
}

TEST(JobReport, SaysWhyNothingRuns) {
  Stage stage;
  set_up(stage);
  stage.gone("w");
  stage.submit("p", 1, 0, 2);
  EXPECT_EQ(job(stage).at("state"), "waiting");
  EXPECT_NE(job(stage).at("reason"), "");
}

TEST(JobDetail, HasTheWorkersAndReadersToo) {
  Stage stage;
  set_up(stage, 3);
  stage.submit("p", 1, 0, 3);
  stage.add_producer("q");
  stage.gather("p", 1, 1);
  stage.gather("q", 1, 0, RowOrder::kAsCompleted);
  stage.results("w", 1, 0, 1);
  stage.results("w", 2, 1, 1);
  const json told = job(stage, "1", Topic::kJobDetail);
  EXPECT_EQ(told.size(), 27U);
  EXPECT_EQ(told.at("signature"), "()");
  EXPECT_EQ(told.at("workers"),
            json::parse(R"J([{"name": "w", "host": "w", "slots": 3, "leased": 1}])J"));
  EXPECT_THAT(
      told.at("readers"),
      UnorderedElementsAre(
          json::parse(R"J({"who": "p@h pid 1", "order": "input", "cursor": 1, "behind": 1})J"),
          json::parse(
              R"J({"who": "q@h pid 1", "order": "completed", "cursor": 0, "behind": 2})J")));
}

TEST(WorkerReport, HasEveryKey) {
  Stage stage;
  FakeWorker& fake = stage.add_worker("w", 2, {"f", "g"});
  fake.hello.labels = {{"gpu", "yes"}};
  fake.hello.version = "1.2";
  fake.hello.pid = 77;
  stage.reconnect("w", {});
  stage.add_producer("p");
  stage.open("p", "key", kept_job());
  stage.submit("p", 1, 0, 100);
  stage.results("w", 1, 0, 1);
  stage.pass(1s);
  stage.ask("p", Topic::kWorkers);
  const json all = answer(stage);
  ASSERT_EQ(all.size(), 1U);
  json told = all[0];
  EXPECT_GT(told.at("leased").get<int>(), 1);
  EXPECT_GT(told.at("rate").get<double>(), 0.0);
  told.erase("leased");
  told.erase("rate");
  EXPECT_EQ(told,
            json::parse(R"J({"name": "w", "host": "w", "pid": 77, "version": "1.2", "slots": 2,
      "busy": 2, "labels": {"gpu": "yes"}, "state": "active", "age_ms": 1000, "heard_ms": 1000,
      "functions": [{"name": "f", "signature": "()"
}, {"name": "g", "signature": "()"}],
      "done": 1
})J"));
  stage.gone("w");
  stage.ask("p", Topic::kWorkers);
  EXPECT_EQ(answer(stage)[0].at("state"), "away");
}

TEST(StatusReport, HasEveryKey) {
  CoreConfig config;
  config.version = "1.2";
  config.addresses = {"tcp://h:1"};
  Stage stage(config);
  set_up(stage, 2);
  stage.submit("p", 1, 0, 10);
  stage.gather("p", 1);
  stage.pass(2s);
  stage.results("w", 1, 0, 1, Outcome::kSucceeded, 1ms, 30);
  stage.ask("p", Topic::kStatus);
  json told = answer(stage);
  const auto leased = told.at("ventilator").at("leased").get<std::uint64_t>();
  EXPECT_EQ(told.at("ventilator").at("waiting"), 9 - leased);
  EXPECT_GT(told.at("ventilator").at("rate").get<double>(), 0.0);
  EXPECT_GT(told.at("sink").at("rate").get<double>(), 0.0);
  for (const char* key : {"rate", "waiting", "leased"}) told.at("ventilator").erase(key);
  told.at("sink").erase("rate");
  EXPECT_EQ(told, json::parse(R"J({"schema": 1, "version": "1.2", "protocol": 1,
      "durability": "memory", "full": false, "addresses": ["tcp://h:1"], "age_ms": 2000, "workers": 1, "slots": 2,
      "busy": 2, "producers": 1, "ventilator": {"jobs": 1, "recalled": 0},
      "sink": {"recorded": 1, "stale": 0, "unread_bytes": 30, "readers": 1},
      "expired_leases": 0, "malformed": 0})J"));
}

TEST(Selectors, AreIdsNumbersNamesAndKeys) {
  Stage stage;
  stage.add_worker("w", 1);
  stage.add_producer("p");
  JobOptions options = kept_job();
  options.name = "twins";
  stage.open("p", "a", options);
  stage.open("p", "b", options);
  options.name = "1";  // looks like a number that there is
  stage.open("p", "twins-key", options);
  EXPECT_THAT(ids(stage, ""), ElementsAre("1-1", "1-2", "1-3"));
  EXPECT_THAT(ids(stage, "all"), ElementsAre("1-1", "1-2", "1-3"));
  EXPECT_THAT(ids(stage, "last"), ElementsAre("1-3"));
  EXPECT_THAT(ids(stage, "1-2"), ElementsAre("1-2"));
  EXPECT_THAT(ids(stage, "1"), ElementsAre("1-1"));
  EXPECT_THAT(ids(stage, "twins"), ElementsAre("1-1", "1-2"));
  EXPECT_THAT(ids(stage, "twins-key"), ElementsAre("1-3"));
  stage.skip();
  for (const char* none : {"4", "2-1", "nobody", "1-", "+1", "1x", "99999999999"}) {
    stage.ask("p", Topic::kJobs, none);
    EXPECT_THAT(stage.take(), ElementsAre("now p: refused not-found: no job '" + std::string(none) +
                                          "' at this broker"));
  }
}

TEST(Selectors, OfABrokerWithoutJobs) {
  Stage stage;
  stage.add_producer("p");
  EXPECT_THAT(ids(stage, ""), IsEmpty());
  EXPECT_THAT(ids(stage, "all"), IsEmpty());
  stage.skip();
  stage.ask("p", Topic::kJobDetail, "last");
  EXPECT_THAT(stage.take(), ElementsAre(StartsWith("now p: refused not-found")));
}

TEST(JobReport, OfTenThousandJobsIsOneQuickAnswer) {
  Core core{CoreConfig{}};
  MonoTime now{1h};
  std::uint64_t peers = 0;
  const auto say = [&](auto message, SessionId session, PeerId peer) {
    core.step(MessageArrived{peer, {session, std::move(message)}, {}}, now);
    return core.take_duties(now);
  };
  for (std::uint64_t i = 1; i <= 20; ++i) {
    WorkerHello hello{{i}, 1, "w", "h", 1, 1, {{"f", "(x: float) -> float"}}, {1000, 1000}, {}};
    say(FromWorker{hello}, {}, {++peers});
  }
  const PeerId peer{++peers};
  const SessionId session =
      say(FromProducer{ProducerHello{{999}, 1, "h", 1, "u"}}, {}, peer).send_now.at(0).session;
  for (int i = 0; i < 10'000; ++i) {
    JobOptions options = kept_job();
    options.name = "job number " + std::to_string(i);
    say(FromProducer{OpenJob{"key-" + std::to_string(i), options}}, session, peer);
  }
  auto best = std::chrono::steady_clock::duration::max();
  Blob answered;
  for (std::uint64_t request = 1; request <= 5; ++request) {
    const auto before = std::chrono::steady_clock::now();
    const Duties duties = say(FromProducer{Ask{request, Topic::kJobDetail, "all"}}, session, peer);
    best = std::min(best, std::chrono::steady_clock::now() - before);
    answered = std::get<Blob>(duties.send_after.at(0).blob);
  }
  EXPECT_EQ(json::from_msgpack(answered.view()).size(), 10'000U);
  EXPECT_LT(answered.size(), limits::kBlobBytesMax);
  const std::chrono::duration<double, std::milli> ms = best;
  RecordProperty("ms", std::to_string(ms.count()));
  std::printf("10,000 jobs at length: %.1f ms, %zu bytes\n", ms.count(), answered.size());
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(ms.count(), 50.0);
#endif
}

}  // namespace
}  // namespace fanmill::broker
