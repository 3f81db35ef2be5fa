// The producer's session against a scripted broker: every message is written down here, time is a
// number.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "producer/session.hpp"
#include "proto/limits.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {

using namespace std::chrono_literals;

class SessionTest : public ::testing::Test {
 protected:
  static constexpr InstanceId kInstance{77};
  static constexpr SessionId kSession{5};
  static constexpr JobId kJob{42};

  SessionTest()
      : session_({.instance = kInstance,
                  .host = "here",
                  .pid = 1,
                  .seed = 3,
                  .ack_delay = nanoseconds(0)},
                 now_) {}

  SessionDuties turn() {
    SessionDuties d = session_.take_duties(now_);
    for (Notice& n : d.notices) notices_.push_back(std::move(n));
    return d;
  }
  // The messages of one kind among those sent now; the others are dropped.
  template <class M>
  std::vector<M> sent(const SessionDuties& d) {
    std::vector<M> out;
    for (const ToSend& s : d.send) {
      if (const auto* m = std::get_if<M>(&s.message)) out.push_back(*m);
    }
    return out;
  }
  template <class N>
  std::vector<N> told() {
    std::vector<N> out;
    for (const Notice& n : notices_) {
      if (const auto* m = std::get_if<N>(&n)) out.push_back(*m);
    }
    return out;
  }
  void hear(ToProducer message, SessionId in = kSession, Blob blob = {}) {
    session_.message({in, std::move(message)}, blob, now_);
  }
  std::uint32_t greet() {
    session_.connected(now_);
    return sent<ProducerHello>(turn()).at(0).attempt;
  }
  void welcome(SessionId in = kSession) {
    const std::uint32_t attempt = greet();
    hear(ProducerWelcome{.instance = kInstance, .attempt = attempt, .heartbeat_ms = 2000}, in);
  }
  JobHandle open(RowOrder order = RowOrder::kInput) {
    return session_.open("key", {.spec = {.function = "f"}}, order, now_);
  }
  void opened(std::uint64_t next = 0, Credit credit = {1000, 100000}, JobId job = kJob) {
    hear(JobOpened{.key = "key", .job = job, .next_index = next, .credit = credit}, current_);
  }
  // Tuples [[from], [from + 1], …].
  static ChunkBuilder::Chunk chunk(std::uint64_t from, std::uint64_t count) {
    ChunkBuilder builder;
    for (std::uint64_t i = 0; i < count; ++i) {
      append_msgpack(builder.bytes(), Array{Value(static_cast<std::int64_t>(from + i))});
      builder.tuple_done();
    }
    return builder.take();
  }
  static Rows rows(std::uint64_t first, std::uint64_t count) {
    return {.job = kJob,
            .position = first,
            .next = first + count,
            .batch_first = {first},
            .batch_count = count,
            .first = {first},
            .count = count};
  }
  // Welcomed, opened, the opening messages taken.
  JobHandle running(RowOrder order = RowOrder::kInput, Credit credit = {1000, 100000}) {
    const JobHandle job = open(order);
    welcome();
    turn();
    opened(0, credit);
    turn();
    return job;
  }

  MonoTime now_{1h};
  SessionId current_ = kSession;
  Session session_;
  std::vector<Notice> notices_;
};

}  // namespace fanmill::producer
