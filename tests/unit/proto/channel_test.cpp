#include "proto/channel.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <zmq.hpp>

#include "proto/limits.hpp"
#include "proto/part_series.hpp"

namespace fanmill {
namespace {

using namespace std::chrono_literals;
constexpr auto kPatience = 10s;

// Waits for the socket, with a deadline, until a whole message is there.
template <class Channel>
std::optional<Received> next(Channel& channel) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (auto received = channel.receive()) return received;
    channel.wait({}, 100ms);
  }
  return std::nullopt;
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 24);
  return bytes;
}

ChannelContext& context() {
  static ChannelContext instance;  // one per process
  return instance;
}

TEST(ChannelWait, EndsWhenAnotherDescriptorIsReadyAndNamesIt) {
  auto server = ServerChannel::bind(context(), "inproc://wait-other");
  ASSERT_TRUE(server);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::array<pollfd, 1> others{{{ends[0], POLLIN, 0}}};
  server->wait(others, 0ms);
  EXPECT_EQ(others[0].revents, 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  server->wait(others, kPatience);
  EXPECT_EQ(others[0].revents, POLLIN);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(ChannelWait, DoesNotSleepOverAMessageThatCameBefore) {
  auto server = ServerChannel::bind(context(), "inproc://wait-message");
  auto peer = PeerChannel::connect(context(), "inproc://wait-message");
  ASSERT_TRUE(server);
  ASSERT_TRUE(peer);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(peer->send("hello", {}), SendStatus::kSent);
  ASSERT_TRUE(next(*server));  // one read, two at hand
  const auto start = std::chrono::steady_clock::now();
  server->wait({}, kPatience);
  EXPECT_LT(std::chrono::steady_clock::now() - start, kPatience / 2);
  EXPECT_TRUE(server->receive());
}

class ChannelOverIpc : public testing::Test {
 protected:
  ChannelOverIpc() {
    std::string name = (std::filesystem::temp_directory_path() / "fanmill-channel-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~ChannelOverIpc() override { std::filesystem::remove_all(directory_); }
  std::string path(const std::string& name = "broker.sock") const {
    return (directory_ / name).string();
  }
  std::string endpoint() const { return "ipc://" + path(); }
  std::filesystem::path directory_;
};

void expect_both_ways(const std::string& endpoint, const std::string& bytes) {
  auto server = ServerChannel::bind(context(), endpoint);
  ASSERT_TRUE(server) << server.error().message;
  auto peer = PeerChannel::connect(context(), endpoint);
  ASSERT_TRUE(peer) << peer.error().message;

  ASSERT_EQ(peer->send("question", Blob::from(bytes)), SendStatus::kSent);
  const auto question = next(*server);
  ASSERT_TRUE(question);
  EXPECT_EQ(question->header, "question");
  EXPECT_TRUE(question->blob.view() == bytes) << question->blob.size() << " bytes";

  // The received blob goes back as it is: nothing else keeps its bytes.
  ASSERT_EQ(server->send(question->peer, "answer", question->blob), SendStatus::kSent);
  const auto answer = next(*peer);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->header, "answer");
  EXPECT_EQ(answer->peer, PeerId{});
  EXPECT_TRUE(answer->blob.view() == bytes) << answer->blob.size() << " bytes";

  EXPECT_FALSE(peer->receive());
  EXPECT_FALSE(server->receive());
  EXPECT_EQ(server->dropped(), 0u);
}

TEST(ChannelOverInproc, CarriesBlobsOfAnySizeBothWays) {
  int number = 0;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{40}, 16 * limits::kKiB, 70 * limits::kMiB}) {
    expect_both_ways("inproc://sizes" + std::to_string(number++), pattern(size));
  }
}
TEST(ChannelOverInproc, MayConnectBeforeTheBrokerListens) {
  auto peer = PeerChannel::connect(context(), "inproc://early");
  ASSERT_TRUE(peer);
  ASSERT_EQ(peer->send("hello", {}), SendStatus::kSent);
  auto server = ServerChannel::bind(context(), "inproc://early");
  ASSERT_TRUE(server);
  const auto received = next(*server);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->header, "hello");
  EXPECT_TRUE(received->blob.empty());
}
TEST(ChannelOverInproc, DoesNotCopyLongBlobs) {
  auto server = ServerChannel::bind(context(), "inproc://uncopied");
  auto peer = PeerChannel::connect(context(), "inproc://uncopied");
  ASSERT_TRUE(server && peer);
  const Blob blob = Blob::from(pattern(1u << 20));
  ASSERT_EQ(peer->send("h", blob), SendStatus::kSent);
  const auto received = next(*server);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->blob.view().data(), blob.view().data());
}

TEST_F(ChannelOverIpc, CarriesBlobsOfAnySizeBothWays) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{40}, 16 * limits::kKiB, limits::kPartBytesMax,
        limits::kPartBytesMax + 1, 2 * limits::kPartBytesMax, 70 * limits::kMiB}) {
    expect_both_ways(endpoint(), pattern(size));
    EXPECT_FALSE(std::filesystem::exists(path())) << "the file goes with the broker";
  }
}

TEST_F(ChannelOverIpc, TellsPeersApart) {
  auto server = ServerChannel::bind(context(), endpoint());
  auto a = PeerChannel::connect(context(), endpoint());
  auto b = PeerChannel::connect(context(), endpoint());
  ASSERT_TRUE(server && a && b);
  ASSERT_EQ(a->send("a", {}), SendStatus::kSent);
  const auto from_a = next(*server);
  ASSERT_EQ(b->send("b", {}), SendStatus::kSent);
  const auto from_b = next(*server);
  ASSERT_TRUE(from_a && from_b);
  EXPECT_NE(from_a->peer, from_b->peer);
  ASSERT_EQ(server->send(from_b->peer, "to b", {}), SendStatus::kSent);
  const auto at_b = next(*b);
  ASSERT_TRUE(at_b);
  EXPECT_EQ(at_b->header, "to b");
  EXPECT_FALSE(a->receive());
}

TEST_F(ChannelOverIpc, SaysWhenAPeerIsGone) {
  auto server = ServerChannel::bind(context(), endpoint());
  ASSERT_TRUE(server);
  EXPECT_EQ(server->send(PeerId{12345}, "h", {}), SendStatus::kPeerGone);
  PeerId gone;
  {
    auto peer = PeerChannel::connect(context(), endpoint());
    ASSERT_TRUE(peer);
    ASSERT_EQ(peer->send("h", {}), SendStatus::kSent);
    const auto received = next(*server);
    ASSERT_TRUE(received);
    gone = received->peer;
    EXPECT_EQ(server->send(gone, "h", {}), SendStatus::kSent);
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  SendStatus status = SendStatus::kSent;
  while (status == SendStatus::kSent && std::chrono::steady_clock::now() < deadline) {
    status = server->send(gone, "h", {});
    EXPECT_FALSE(server->receive());
  }
  EXPECT_EQ(status, SendStatus::kPeerGone);
}

TEST_F(ChannelOverIpc, SaysWhenTheBrokerIsGone) {
  auto server = ServerChannel::bind(context(), endpoint());
  ASSERT_TRUE(server);
  auto peer = PeerChannel::connect(context(), endpoint());
  ASSERT_TRUE(peer);
  ASSERT_EQ(peer->send("h", {}), SendStatus::kSent);
  ASSERT_TRUE(next(*server));
  {
    const ServerChannel ends = std::move(*server);
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  SendStatus status = SendStatus::kSent;
  while (status == SendStatus::kSent && std::chrono::steady_clock::now() < deadline) {
    status = peer->send("h", {});
    EXPECT_FALSE(peer->receive());
  }
  EXPECT_EQ(status, SendStatus::kPeerGone);
}

TEST_F(ChannelOverIpc, RefusesASecondBrokerWhileTheFirstLives) {
  auto first = ServerChannel::bind(context(), endpoint());
  ASSERT_TRUE(first);
  const auto second = ServerChannel::bind(context(), endpoint());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kSystem);
  EXPECT_NE(second.error().message.find("already"), std::string::npos) << second.error().message;

  auto peer = PeerChannel::connect(context(), endpoint());
  ASSERT_TRUE(peer);
  ASSERT_EQ(peer->send("still there", {}), SendStatus::kSent);
  EXPECT_TRUE(next(*first));
}

// What a killed broker leaves behind: a bound socket file that nobody listens at.
void leave_stale_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  ::close(fd);
}

TEST_F(ChannelOverIpc, TakesOverTheFileOfADeadBroker) {
  leave_stale_socket(path());
  const auto early = PeerChannel::connect(context(), endpoint());
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kUnreachable);
  expect_both_ways(endpoint(), "taken over");
}

TEST_F(ChannelOverIpc, IsForItsOwnerAlone) {
  const mode_t before = ::umask(0);
  const auto server = ServerChannel::bind(context(), endpoint());
  ::umask(before);
  ASSERT_TRUE(server);
  struct stat info{};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST_F(ChannelOverIpc, LeavesAFileAloneThatIsAnothersByNow) {
  {
    const auto server = ServerChannel::bind(context(), endpoint());
    ASSERT_TRUE(server);
    std::filesystem::remove(path());
    leave_stale_socket(path());
  }
  EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(ChannelOverIpc, RefusesADirectoryThatOthersMayWrite) {
  ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
  const auto server = ServerChannel::bind(context(), endpoint());
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kSystem);
  ASSERT_EQ(::chmod(directory_.c_str(), 01777), 0);
  EXPECT_TRUE(ServerChannel::bind(context(), endpoint())) << "sticky, like /tmp";
}

TEST_F(ChannelOverIpc, RefusesAPathThatCannotBe) {
  const auto missing = ServerChannel::bind(context(), "ipc://" + path("no/such/dir.sock"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kSystem);

  const auto longest = ServerChannel::bind(context(), "ipc://" + path(std::string(108, 'x')));
  ASSERT_FALSE(longest);
  EXPECT_EQ(longest.error().code, ErrorCode::kUsage);
  EXPECT_NE(longest.error().message.find("107"), std::string::npos) << longest.error().message;

  std::ofstream(path()) << "a file that somebody needs";
  const auto file = ServerChannel::bind(context(), endpoint());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kSystem);
  EXPECT_TRUE(std::filesystem::is_regular_file(path())) << "it is left alone";
}

TEST_F(ChannelOverIpc, ReportsAMissingBrokerAtOnce) {
  const auto peer = PeerChannel::connect(context(), endpoint());
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().code, ErrorCode::kUnreachable);
}

TEST(ChannelEndpoint, TcpIsRefusedAndSaysWhy) {
  for (const char* endpoint : {"tcp://127.0.0.1:5555", "tcp://*:*", "ipc://", "ipc://*",
                               "ipc://@abstract", "inproc://", "udp://1.2.3.4:5", "nonsense", ""}) {
    const auto server = ServerChannel::bind(context(), endpoint);
    ASSERT_FALSE(server) << endpoint;
    EXPECT_EQ(server.error().code, ErrorCode::kUsage) << endpoint;
    const auto peer = PeerChannel::connect(context(), endpoint);
    ASSERT_FALSE(peer) << endpoint;
    EXPECT_EQ(peer.error().code, ErrorCode::kUsage) << endpoint;
  }
  EXPECT_NE(ServerChannel::bind(context(), "tcp://*:1").error().message.find("keys"),
            std::string::npos);
}

// A stranger that speaks ZeroMQ but not the protocol.
class RawPeer {
 public:
  explicit RawPeer(const std::string& endpoint)
      : socket_(zmq_socket(context().handle(), ZMQ_DEALER)) {
    const int linger = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof linger);
    zmq_connect(socket_, endpoint.c_str());
  }
  ~RawPeer() { zmq_close(socket_); }
  void send(std::initializer_list<std::string> frames) {
    std::size_t left = frames.size();
    for (const std::string& frame : frames) {
      zmq_send(socket_, frame.data(), frame.size(), --left > 0 ? ZMQ_SNDMORE : 0);
    }
  }

 private:
  void* socket_;
};

TEST_F(ChannelOverIpc, DropsAndCountsWhatIsNotTwoFrames) {
  auto server = ServerChannel::bind(context(), endpoint());
  ASSERT_TRUE(server);
  RawPeer stranger(endpoint());
  stranger.send({"one frame"});
  stranger.send({"three", "frames", "!"});
  stranger.send({"six", "frames", "are", "too", "many", "also"});
  stranger.send({std::string(limits::kHeaderBytesMax + 1, 'h'), ""});
  stranger.send({part_header(1000), std::string(10, 'x')});
  stranger.send({"the series breaks", "here"});
  stranger.send({std::string(kPartMagic), "x"});
  stranger.send({"a message", "of two"});
  const auto received = next(*server);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->header, "a message");
  EXPECT_EQ(received->blob.view(), "of two");
  EXPECT_EQ(server->dropped(), 6u);
}

TEST_F(ChannelOverIpc, EndsAConnectionThatSendsAnOverlongFrame) {
  auto server = ServerChannel::bind(context(), endpoint());
  ASSERT_TRUE(server);
  RawPeer stranger(endpoint());
  stranger.send({"h", std::string(limits::kFrameBytesMax + 1, 'x')});
  stranger.send({"h", "after"});
  auto peer = PeerChannel::connect(context(), endpoint());
  ASSERT_TRUE(peer);
  ASSERT_EQ(peer->send("others go on", {}), SendStatus::kSent);
  const auto received = next(*server);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->header, "others go on");
}

}  // namespace
}  // namespace fanmill
