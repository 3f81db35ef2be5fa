// The client's loop over a real channel, against a broker that answers every task with its tuple.
#include "producer/client.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <ranges>
#include <string>
#include <thread>
#include <tuple>

#include "producer/row_batch.hpp"
#include "proto/clock.hpp"
#include "proto/codec.hpp"
#include "proto/curve_keys.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

// One producer, one job; rows are its tuples as they came.
class EchoBroker {
 public:
  EchoBroker(ChannelContext& context, const std::string& endpoint, bool refuses)
      : channel_(std::move(*ServerChannel::bind(context, endpoint))), refuses_(refuses) {
    thread_ = std::thread([this] { serve(); });
  }
  ~EchoBroker() { thread_.join(); }

 private:
  static constexpr SessionId kSession{9};
  static constexpr JobId kJob{3};

  void answer(PeerId peer, const ToProducer& message, const Blob& blob = {}) {
    std::string header;
    encode(header, kSession, message);
    EXPECT_EQ(channel_.send(peer, header, blob), SendStatus::kSent);
  }

  void serve() {
    while (!left_) {
      if (auto in = channel_.receive()) {
        const auto envelope = decode_to_broker(in->header);
        ASSERT_TRUE(envelope);
        const auto* from = std::get_if<FromProducer>(&envelope->message);
        ASSERT_NE(from, nullptr);
        std::visit([&](const auto& m) { on(in->peer, m, in->blob); }, *from);
      } else {
        std::this_thread::yield();
      }
    }
  }

  void on(PeerId peer, const ProducerHello& m, const Blob&) {
    answer(peer,
           ProducerWelcome{.instance = m.instance, .attempt = m.attempt, .heartbeat_ms = 2000});
  }
  void on(PeerId peer, const OpenJob& m, const Blob&) {
    if (refuses_) {
      answer(
          peer,
          Refused{.key = m.key, .job = {}, .code = ErrorCode::kUnknownFunction, .message = "no"});
      return;
    }
    answer(peer, JobOpened{.key = m.key, .job = kJob, .credit = credit()});
  }
  void on(PeerId peer, const Submit& m, const Blob& blob) {
    EXPECT_EQ(m.first.value, next_) << "in order";
    EXPECT_LE(m.first.value + m.count, credit().tasks) << "within credit";
    next_ += m.count;
    Rows rows;
    rows.job = kJob;
    rows.position = m.first.value;
    rows.next = next_;
    rows.batch_first = rows.first = m.first;
    rows.batch_count = rows.count = m.count;
    rows.values_bytes = blob.size();
    answer(peer, rows, blob);
  }
  void on(PeerId peer, const GatherAck& m, const Blob&) {
    acknowledged_ = m.cursor;
    answer(peer, Accepted{.job = kJob, .next_index = next_, .closed = closed_, .credit = credit()});
    end_if_done(peer);
  }
  void on(PeerId peer, const CloseJob& m, const Blob&) {
    EXPECT_EQ(m.total, next_);
    closed_ = true;
    answer(peer, Accepted{.job = kJob, .next_index = next_, .closed = true, .credit = credit()});
    end_if_done(peer);
  }
  void on(PeerId, const Goodbye&, const Blob&) { left_ = true; }
  void on(PeerId, const ProducerHeartbeat&, const Blob&) {}
  void on(PeerId, const Gather&, const Blob&) {}
  void on(PeerId, const CancelJob&, const Blob&) {}
  void on(PeerId, const Ask&, const Blob&) {}
  void on(PeerId, const Steer&, const Blob&) {}
  void on(PeerId, const Push&, const Blob&) {}

  void end_if_done(PeerId peer) {
    if (closed_ && acknowledged_ == next_) {
      answer(peer, JobEnded{.job = kJob, .counts = {.accepted = next_, .succeeded = next_}});
    }
  }
  Credit credit() const { return {acknowledged_ + 20000, std::uint64_t{1} << 40}; }

  ServerChannel channel_;
  const bool refuses_;
  bool left_ = false;
  bool closed_ = false;
  std::uint64_t next_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::thread thread_;
};

TEST(ClientMap, FeedsARangeUnderCreditAndTakesRowsInOrder) {
  ChannelContext context;
  EchoBroker broker(context, "inproc://echo", false);
  std::uint64_t expected = 0;
  auto client = Client::connect(context, "inproc://echo");
  ASSERT_TRUE(client);
  constexpr std::uint64_t kTasks = 100'000;
  auto tuples = std::views::iota(std::uint64_t{0}, kTasks) |
                std::views::transform([](std::uint64_t i) { return std::tuple(i, "x"); });
  const auto counts =
      map(*client, {.spec = {.function = "echo"}}, tuples, [&](const RowsArrived& arrived) {
        auto batch = RowBatch::make(arrived.rows, arrived.blob.view());
        ASSERT_TRUE(batch);
        Row row;
        while (*batch->next(row)) {
          std::size_t at = 0;
          ASSERT_EQ(*decode_msgpack(row.value, at), Value(Array{Value(expected), "x"}));
          ++expected;
        }
      });
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->succeeded, kTasks);
  EXPECT_EQ(expected, kTasks);
}

TEST(ClientMap, ARefusedJobIsAnError) {
  ChannelContext context;
  EchoBroker broker(context, "inproc://refusing", true);
  auto client = Client::connect(context, "inproc://refusing");
  ASSERT_TRUE(client);
  const auto counts = map(*client, {.spec = {.function = "f"}}, std::views::iota(0, 3),
                          [](const RowsArrived&) { FAIL(); });
  ASSERT_FALSE(counts);
  EXPECT_EQ(counts.error().code, ErrorCode::kUnknownFunction);
}

// Takes connections on a port of loopback and ends them at once, so many times.
class Slammer {
 public:
  Slammer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&any), size), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &size), 0);
    endpoint_ = "tcp://127.0.0.1:" + std::to_string(ntohs(any.sin_port));
  }
  ~Slammer() { ::close(fd_); }

  const std::string& endpoint() const { return endpoint_; }
  int taken() const { return taken_; }
  void slam() {
    if (const int peer = ::accept(fd_, nullptr, nullptr); peer >= 0) {
      ++taken_;
      ::close(peer);
    }
  }

 private:
  int fd_;
  int taken_ = 0;
  std::string endpoint_;
};

TEST(ClientConnecting, TakesABrokerForAnotherOnlyWhenHandshakesBreakOffAgainAndAgain) {
  Slammer slammer;
  ChannelContext context;
  Address address(slammer.endpoint());
  address.server_key = make_curve_keys().public_key;
  address.keys = make_curve_keys();
  auto client = Client::connect(context, address);
  ASSERT_TRUE(client) << client.error().message;
  const MonoTime until = mono_now() + std::chrono::seconds(20);
  std::optional<Error> last;
  while ((!last || last->code != ErrorCode::kRefused) && mono_now() < until) {
    client->pump(std::chrono::milliseconds(5));
    slammer.slam();
    last = client->connect_error();
    if (last && slammer.taken() < 3) {
      EXPECT_EQ(last->code, ErrorCode::kUnreachable);
      EXPECT_NE(last->message.find("was cut while it was made"), std::string::npos);
    }
  }
  ASSERT_TRUE(last);
  EXPECT_EQ(last->code, ErrorCode::kRefused);
  EXPECT_GE(slammer.taken(), 3);
}

}  // namespace
}  // namespace fanmill::producer
