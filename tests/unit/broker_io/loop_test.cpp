#include "broker/loop.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "broker/memory_store.hpp"
#include "proto/clock.hpp"
#include "proto/codec.hpp"

namespace fanmill::broker {
namespace {

// A broker loop in a thread, and a producer that speaks the wire protocol by hand.
class LoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    LoopOptions options;
    options.endpoints = {"inproc://loop-test"};
    options.store = std::make_unique<MemoryStore>();
    auto bound = Loop::bind(context_, std::move(options));
    ASSERT_TRUE(bound) << bound.error().message;
    loop_.emplace(std::move(*bound));
    thread_ = std::thread([this] { EXPECT_TRUE(loop_->run()); });
    auto connected = PeerChannel::connect(context_, "inproc://loop-test");
    ASSERT_TRUE(connected) << connected.error().message;
    peer_.emplace(std::move(*connected));
  }
  void TearDown() override {
    if (loop_) loop_->request_stop();
    if (thread_.joinable()) thread_.join();
  }

  void say(SessionId session, const FromProducer& message, const Blob& blob = {}) {
    std::string header;
    encode(header, session, message);
    ASSERT_EQ(peer_->send(header, blob), SendStatus::kSent);
  }

  // The next message of the broker that is a T; others before it are passed over.
  template <class T>
  std::optional<Envelope<T>> next(std::chrono::milliseconds limit = std::chrono::seconds(5)) {
    const MonoTime deadline = mono_now() + limit;
    while (mono_now() < deadline) {
      if (auto received = peer_->receive()) {
        auto envelope = decode_to_producer(received->header);
        if (!envelope) return std::nullopt;
        if (T* message = std::get_if<T>(&envelope->message))
          return Envelope<T>{envelope->session, *message};
        continue;
      }
      peer_->wait({}, std::chrono::milliseconds(100));
    }
    return std::nullopt;
  }

  ChannelContext context_;
  std::optional<Loop> loop_;
  std::thread thread_;
  std::optional<PeerChannel> peer_;
};

TEST_F(LoopTest, WelcomesAProducer) {
  say({}, ProducerHello{InstanceId{99}, 1, "here", 1});
  const auto welcome = next<ProducerWelcome>();
  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->message.instance, InstanceId{99});
  EXPECT_NE(welcome->session, SessionId{});
}

TEST_F(LoopTest, TellsAStrangerToSayHello) {
  say(SessionId{12345}, ProducerHeartbeat{});
  EXPECT_TRUE(next<UnknownSession>());
}

TEST_F(LoopTest, SurvivesGarbageAndGoesOnServing) {
  for (const char* garbage : {"", "x", "\x93\x01\x02\x03", "\xdd\x7f\xff\xff\xff"}) {
    ASSERT_EQ(peer_->send(garbage, {}), SendStatus::kSent);
  }
  say({}, ProducerHello{InstanceId{5}, 1, "here", 1});
  EXPECT_TRUE(next<ProducerWelcome>());
}

TEST_F(LoopTest, RefusesASecondLoopOnTheSameEndpoint) {
  LoopOptions options;
  options.endpoints = {"inproc://loop-test"};
  options.store = std::make_unique<MemoryStore>();
  EXPECT_FALSE(Loop::bind(context_, std::move(options)));
}

}  // namespace
}  // namespace fanmill::broker
