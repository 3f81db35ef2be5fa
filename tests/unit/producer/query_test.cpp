// Questions over a real channel, against a broker that knows three jobs.
#include "producer/query.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proto/codec.hpp"
#include "tests/unit/producer/document_samples.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

// Answers as PROTOCOL.md has it, from jobs 1-1 (a), 1-2 (resize) and 1-3 (resize).
class AnsweringBroker {
 public:
  struct Habits {
    int deaf_to = 0;      // so many requests are not heard
    bool silent = false;  // no request is answered
    bool has_jobs = true;
    std::string document{};  // instead of every answer
  };
  AnsweringBroker(ChannelContext& context, const std::string& endpoint, Habits habits)
      : channel_(std::move(*ServerChannel::bind(context, endpoint))), habits_(std::move(habits)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~AnsweringBroker() {
    stopped_ = true;
    thread_.join();
  }
  // Only once the client is gone.
  const std::vector<Steer>& steered() {
    while (!left_) std::this_thread::yield();
    return steered_;
  }

 private:
  static constexpr SessionId kSession{9};

  void answer(PeerId peer, const ToProducer& message, const Blob& blob = {}) {
    std::string header;
    encode(header, kSession, message);
    static_cast<void>(channel_.send(peer, header, blob));  // who asks may have gone
  }

  void serve() {
    while (!stopped_) {
      if (auto in = channel_.receive()) {
        const auto envelope = decode_to_broker(in->header);
        ASSERT_TRUE(envelope);
        const auto* from = std::get_if<FromProducer>(&envelope->message);
        ASSERT_NE(from, nullptr);
        std::visit([&](const auto& m) { on(in->peer, m); }, *from);
      } else {
        std::this_thread::yield();
      }
    }
  }

  template <class Message>
  void on(PeerId /*peer*/, const Message& /*message*/) {}
  void on(PeerId peer, const ProducerHello& m) {
    answer(peer,
           ProducerWelcome{.instance = m.instance, .attempt = m.attempt, .heartbeat_ms = 2000});
  }
  void on(PeerId /*peer*/, const Goodbye& /*message*/) { left_ = true; }
  void on(PeerId peer, const Ask& m) {
    if (!hears()) return;
    if (m.topic == Topic::kWorkers) return tell(peer, m.request, Array{sample::worker()});
    if (m.topic == Topic::kStatus) return tell(peer, m.request, sample::status());
    Array jobs;
    for (const auto& [number, name] : kJobs) {
      const std::string id = "1-" + std::to_string(number);
      const bool chosen = m.selector == "all" || m.selector.empty() || m.selector == id ||
                          m.selector == name || (m.selector == "last" && number == 3);
      if (chosen && habits_.has_jobs) jobs.push_back(job(number));
    }
    if (jobs.empty() && m.selector != "all" && !m.selector.empty()) {
      answer(peer, Refused{.code = ErrorCode::kNotFound, .message = "no", .request = m.request});
      return;
    }
    tell(peer, m.request, jobs);
  }
  void on(PeerId peer, const Steer& m) {
    if (!hears()) return;
    steered_.push_back(m);
    Array jobs;
    for (const JobId id : m.jobs) jobs.push_back(job(static_cast<int>(id.value & 0xffffffffU)));
    tell(peer, m.request, jobs);
  }

  bool hears() { return !habits_.silent && habits_.deaf_to-- <= 0; }
  static Map job(int number) {
    Map map = sample::job();
    sample::set(map, "id", "1-" + std::to_string(number));
    for (const auto& [known, name] : kJobs) {
      if (known == number) sample::set(map, "name", name);
    }
    return map;
  }
  void tell(PeerId peer, std::uint64_t request, const Value& document) {
    std::string bytes = habits_.document;
    if (bytes.empty()) append_msgpack(bytes, document);
    answer(peer, Answer{.request = request}, Blob::from(std::move(bytes)));
  }

  static constexpr std::pair<int, const char*> kJobs[] = {{1, "a"}, {2, "resize"}, {3, "resize"}};
  ServerChannel channel_;
  Habits habits_;
  std::vector<Steer> steered_;
  std::atomic<bool> left_ = false;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

class QueryTest : public ::testing::Test {
 protected:
  static constexpr const char* kEndpoint = "inproc://asked";
  void begin(AnsweringBroker::Habits habits = {}, nanoseconds patience = 20s) {
    broker_.emplace(context_, kEndpoint, std::move(habits));
    client_.emplace(std::move(*Client::connect(context_, kEndpoint)));
    query_.emplace(*client_, "ipc:///b", patience);
  }
  std::vector<std::string> resolved(const std::vector<std::string>& selectors) {
    std::vector<std::string> ids;
    const auto jobs = resolve_jobs(*query_, selectors);
    EXPECT_TRUE(jobs) << jobs.error().message;
    if (jobs) {
      for (const JobDocument& job : *jobs) ids.push_back(job.id);
    }
    return ids;
  }
  Error error_of(const std::vector<std::string>& selectors) {
    const auto jobs = resolve_jobs(*query_, selectors);
    EXPECT_FALSE(jobs);
    return jobs ? Error{} : jobs.error();
  }

  ChannelContext context_;
  std::optional<AnsweringBroker> broker_;
  std::optional<Client> client_;
  std::optional<Query> query_;
};

using Ids = std::vector<std::string>;

TEST_F(QueryTest, SelectorsChooseEachJobOnceByRisingId) {
  begin();
  EXPECT_EQ(resolved({}), (Ids{"1-1", "1-2", "1-3"}));
  EXPECT_EQ(resolved({"all"}), (Ids{"1-1", "1-2", "1-3"}));
  EXPECT_EQ(resolved({"resize"}), (Ids{"1-2", "1-3"}));
  EXPECT_EQ(resolved({"last", "1-1", "resize"}), (Ids{"1-1", "1-2", "1-3"}));
}

TEST_F(QueryTest, ASelectorThatMatchesNothingNamesTheNearest) {
  begin();
  const Error error = error_of({"a", "resise"});
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.message, "no job \"resise\"; did you mean resize? (fanmill jobs lists them)");
  EXPECT_EQ(error_of({"something else"}).message,
            "no job \"something else\" (fanmill jobs lists them)");
}

TEST_F(QueryTest, AnEmptyWordIsNotEveryJob) {
  begin();
  EXPECT_EQ(error_of({""}).code, ErrorCode::kUsage);
}

TEST_F(QueryTest, OfABrokerWithoutJobsThatIsSaid) {
  begin({.has_jobs = false});
  EXPECT_EQ(resolved({"all"}), Ids{});
  EXPECT_EQ(error_of({"last"}).message, "no job here yet (fanmill jobs lists them)");
  EXPECT_EQ(error_of({"x"}).message,
            "no job \"x\"; there is none here yet (fanmill jobs lists them)");
}

TEST_F(QueryTest, OneJobIsNotSeveral) {
  begin();
  const auto one = resolve_job(*query_, "last");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->id, "1-3");
  const auto several = resolve_job(*query_, "resize");
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().code, ErrorCode::kUsage);
  EXPECT_EQ(several.error().message,
            "\"resize\" is 2 jobs; name one of them: 1-3 (resize), 1-2 (resize)");
}

TEST_F(QueryTest, WorkersAndStatusAreAnswered) {
  begin();
  const auto workers = query_->workers();
  ASSERT_TRUE(workers);
  EXPECT_EQ(workers->at(0).name, "w1");
  const auto status = query_->status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->ventilator.waiting, 578u);
}

TEST_F(QueryTest, AQuestionThatWasLostIsAskedAgain) {
  begin({.deaf_to = 1});
  EXPECT_EQ(resolved({"last"}), Ids{"1-3"});
}

TEST_F(QueryTest, MoreJobsThanOneOrderTakesGoInSeveral) {
  begin();
  std::vector<JobId> jobs;
  for (std::uint64_t i = 0; i < limits::kJobsSteeredMax + 1; ++i)
    jobs.push_back({(1ULL << 32) + i});
  const auto told = query_->steer(jobs, Steering::kCancel, 7);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->size(), jobs.size());
  client_.reset();
  ASSERT_EQ(broker_->steered().size(), 2u);
  EXPECT_EQ(broker_->steered()[0].jobs.size(), limits::kJobsSteeredMax);
  EXPECT_EQ(broker_->steered()[1].jobs, std::vector<JobId>{jobs.back()});
  EXPECT_EQ(broker_->steered()[1].grace_ms, 7u);
}

TEST_F(QueryTest, AnAnswerThatDoesNotReadIsAnErrorOfTheProtocol) {
  begin({.document = "\xc1"});
  const auto jobs = query_->jobs("all");
  ASSERT_FALSE(jobs);
  EXPECT_EQ(jobs.error().code, ErrorCode::kProtocol);
}

TEST_F(QueryTest, ABrokerThatSaysNothingIsNotWaitedForForEver) {
  begin({.silent = true}, 200ms);
  const auto jobs = query_->jobs("all");
  ASSERT_FALSE(jobs);
  EXPECT_EQ(jobs.error().code, ErrorCode::kUnreachable);
  EXPECT_EQ(jobs.error().message,
            "the broker at ipc:///b is there and does not answer; it may be of a version that "
            "cannot be asked");
}

TEST(Query, NobodyThereIsUnreachable) {
  ChannelContext context;
  const auto client = connect_to_broker(context, "ipc:///nowhere/x");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::kUnreachable);
  EXPECT_NE(client.error().message.find("start one: fanmill broker --listen ipc:///nowhere/x"),
            std::string::npos);
}

}  // namespace
}  // namespace fanmill::producer
