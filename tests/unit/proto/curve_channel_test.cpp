// Channels over TCP: who gets in, who is told what. On loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>

#include "proto/channel.hpp"
#include "proto/clock.hpp"
#include "proto/curve_keys.hpp"
#include "proto/gate.hpp"
#include "proto/limits.hpp"

namespace fanmill {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
constexpr auto kPatience = 20s;
constexpr const char* kAnyPort = "tcp://127.0.0.1:*";

ChannelContext& context() {
  static ChannelContext instance;  // one per process
  return instance;
}

template <class Channel>
std::optional<Received> next(Channel& channel) {
  const auto deadline = mono_now() + kPatience;
  while (mono_now() < deadline) {
    if (auto received = channel.receive()) return received;
    channel.wait({}, 100ms);
  }
  return std::nullopt;
}

// Why the connection ended, or nothing within the patience.
std::optional<Error> end_of(PeerChannel& channel) {
  const auto deadline = mono_now() + kPatience;
  while (mono_now() < deadline) {
    EXPECT_FALSE(channel.receive());
    if (channel.ended()) return channel.ended();
    channel.wait({}, 100ms);
  }
  return std::nullopt;
}

class ChannelOverTcp : public testing::Test {
 protected:
  ChannelOverTcp() { gate_.admit(known_.public_key, "worker"); }

  ServerChannel listening() {
    auto server = ServerChannel::bind(context(), kAnyPort, {broker_, &gate_});
    EXPECT_TRUE(server) << server.error().message;
    return std::move(*server);
  }
  Address address_of(const ServerChannel& server, const CurveKeys& keys) const {
    Address address(server.endpoints().front());
    address.server_key = broker_.public_key;
    address.keys = keys;
    return address;
  }

  Gate gate_ = Gate::open(context()).value();
  CurveKeys broker_ = make_curve_keys();
  CurveKeys known_ = make_curve_keys();
};

TEST_F(ChannelOverTcp, CarriesMessagesBothWaysAndSaysWhoTheyAreFrom) {
  ServerChannel server = listening();
  EXPECT_THAT(server.endpoints().front(), testing::MatchesRegex("tcp://127\\.0\\.0\\.1:[0-9]+"));
  auto peer = PeerChannel::connect(context(), address_of(server, known_));
  ASSERT_TRUE(peer) << peer.error().message;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, 3 * limits::kMiB}) {
    const std::string bytes(size, 'x');
    ASSERT_EQ(peer->send("question", Blob::from(bytes)), SendStatus::kSent);
    const auto question = next(server);
    ASSERT_TRUE(question);
    EXPECT_EQ(question->user, "worker");
    EXPECT_TRUE(question->blob.view() == bytes);
    ASSERT_EQ(server.send(question->peer, "answer", question->blob), SendStatus::kSent);
    const auto answer = next(*peer);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->blob.view() == bytes);
  }
  EXPECT_FALSE(peer->ended());
}

TEST_F(ChannelOverTcp, RefusesAKeyThatIsNotAdmittedAndSaysSo) {
  ServerChannel server = listening();
  auto peer = PeerChannel::connect(context(), address_of(server, make_curve_keys()));
  ASSERT_TRUE(peer);
  static_cast<void>(peer->send("hello", {}));
  const auto end = end_of(*peer);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, ErrorCode::kRefused);
  EXPECT_THAT(end->message, HasSubstr("does not admit the key"));
  EXPECT_EQ(peer->send("hello", {}), SendStatus::kPeerGone);
  EXPECT_FALSE(server.receive());
}

TEST_F(ChannelOverTcp, RefusesAKeyThatIsTurnedAwayLater) {
  ServerChannel server = listening();
  gate_.turn_away(known_.public_key);
  auto peer = PeerChannel::connect(context(), address_of(server, known_));
  ASSERT_TRUE(peer);
  const auto end = end_of(*peer);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, ErrorCode::kRefused);
}

TEST_F(ChannelOverTcp, SaysThatTheBrokerIsAnother) {
  ServerChannel server = listening();
  Address wrong = address_of(server, known_);
  wrong.server_key = make_curve_keys().public_key;
  auto peer = PeerChannel::connect(context(), wrong);
  ASSERT_TRUE(peer);
  const auto end = end_of(*peer);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, ErrorCode::kRefused);
  EXPECT_THAT(end->message, HasSubstr("not the broker of this join file"));
  EXPECT_TRUE(peer->broke_off());
}

TEST_F(ChannelOverTcp, SaysAtOnceThatNobodyIsThere) {
  Address nobody;
  {
    const ServerChannel server = listening();
    nobody = address_of(server, known_);
  }
  const auto deadline = mono_now() + kPatience;
  bool closing =
      true;  // libzmq closes the port in its own time, and who comes just then is cut off
  std::optional<Error> end;
  while (closing && mono_now() < deadline) {
    auto peer = PeerChannel::connect(context(), nobody);
    ASSERT_TRUE(peer);
    end = end_of(*peer);
    ASSERT_TRUE(end);
    closing = peer->broke_off();
  }
  EXPECT_EQ(end->code, ErrorCode::kUnreachable);
  EXPECT_THAT(end->message, HasSubstr(nobody.endpoint));
}

TEST_F(ChannelOverTcp, SaysThatTheBrokerHasGone) {
  std::optional<ServerChannel> server = listening();
  auto peer = PeerChannel::connect(context(), address_of(*server, known_));
  ASSERT_TRUE(peer);
  ASSERT_EQ(peer->send("hello", {}), SendStatus::kSent);
  ASSERT_TRUE(next(*server));
  server.reset();
  const auto end = end_of(*peer);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, ErrorCode::kUnreachable);
}

TEST_F(ChannelOverTcp, IsRefusedWithoutKeysOnEitherSide) {
  const auto server = ServerChannel::bind(context(), kAnyPort);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kUsage);
  EXPECT_THAT(server.error().message, HasSubstr("without keys"));
  const auto peer = PeerChannel::connect(context(), "tcp://127.0.0.1:1");
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().code, ErrorCode::kUsage);
  EXPECT_THAT(peer.error().message, HasSubstr("join file"));
}

TEST_F(ChannelOverTcp, NamesAPortThatIsInUse) {
  const ServerChannel first = listening();
  const auto second = ServerChannel::bind(context(), first.endpoints().front(), {broker_, &gate_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kSystem);
  EXPECT_THAT(second.error().message,
              HasSubstr("in use; end what listens there, or choose another"));
}

TEST_F(ChannelOverTcp, NamesAnAddressThatIsNotThisHosts) {
  const auto server = ServerChannel::bind(context(), "tcp://192.0.2.1:7070", {broker_, &gate_});
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr("it is no address of this host"));
}

TEST_F(ChannelOverTcp, IsOneServerWithAnIpcEndpointBesideIt) {
  std::string name = (std::filesystem::temp_directory_path() / "fanmill-doors-XXXXXX").string();
  const std::filesystem::path directory = ::mkdtemp(name.data());
  const std::string ipc = "ipc://" + (directory / "b").string();
  {
    ServerChannel server = listening();
    ASSERT_TRUE(server.also_bind(ipc));
    auto far = PeerChannel::connect(context(), address_of(server, known_));
    auto near = PeerChannel::connect(context(), ipc);
    ASSERT_TRUE(far && near);
    ASSERT_EQ(far->send("far", {}), SendStatus::kSent);
    ASSERT_EQ(near->send("near", {}), SendStatus::kSent);
    for (int i = 0; i < 2; ++i) {
      const auto received = next(server);
      ASSERT_TRUE(received);
      EXPECT_EQ(received->user, received->header == "far" ? "worker" : "");
      ASSERT_EQ(server.send(received->peer, "to " + received->header, {}), SendStatus::kSent);
    }
    EXPECT_EQ(next(*far)->header, "to far");
    EXPECT_EQ(next(*near)->header, "to near");
  }
  std::filesystem::remove_all(directory);
}

// A gate of another context: nobody answers this one's questions.
TEST(ChannelOverTcpWithoutItsGate, DoesNotListen) {
  ChannelContext elsewhere;
  Gate gate = Gate::open(elsewhere).value();
  const auto server = ServerChannel::bind(context(), kAnyPort, {make_curve_keys(), &gate});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kRefused);
  EXPECT_THAT(server.error().message, HasSubstr("nothing listens on TCP"));
}

TEST(GatePlace, IsTakenOnce) {
  const auto first = Gate::open(context());
  ASSERT_TRUE(first);
  const auto second = Gate::open(context());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kSystem);
}

}  // namespace
}  // namespace fanmill
