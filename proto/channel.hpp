// The only place that touches ZeroMQ: two-frame messages [header][blob] over a ROUTER (broker) or a
// DEALER (peer). Blobs longer than limits::kPartBytesMax travel as a series of part messages and
// are put together again here, under a bound per peer. One thread owns a channel for life.
#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/address.hpp"
#include "proto/blob.hpp"
#include "proto/clock.hpp"
#include "proto/error.hpp"
#include "proto/ids.hpp"

namespace fanmill {

// One per process. Not copyable; destroyed after every channel.
class ChannelContext {
 public:
  ChannelContext();
  ~ChannelContext();
  ChannelContext(const ChannelContext&) = delete;
  ChannelContext& operator=(const ChannelContext&) = delete;
  void* handle() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct Received {
  PeerId peer;         // of a ServerChannel; zero for a PeerChannel
  std::string header;  // encoded, not checked
  std::string user;    // over TCP: whom the Gate admitted; else empty
  Blob blob;
};

// kSent: handed over, which is not delivery. kPeerGone: this connection has ended, for good.
enum class SendStatus : std::uint8_t { kSent, kWouldBlock, kPeerGone };

// poll(2) with nanoseconds: until one of `fds` is ready or `timeout` is over; empty: no limit. A
// signal ends it too; then no revents are set.
void wait_for(std::span<pollfd> fds, std::optional<nanoseconds> timeout);

class Gate;

// What a broker listens on TCP with: its own keys, and who decides which callers are let in.
struct TcpSecurity {
  CurveKeys keys;
  Gate* gate = nullptr;  // outlives the channel
};

// ROUTER with mandatory routing; one at each endpoint.
class ServerChannel {
 public:
  // `endpoint`: inproc://NAME, ipc://PATH or tcp://ADDRESS:PORT.
  // An ipc path is made with mode 0600 in a directory that must not be writable by others; a stale
  // socket file of a dead broker is taken over, a live one refused (kSystem).
  // TCP is CURVE always: refused (kUsage) without `security`. Before it listens it is tried out
  // with a stranger's key; where that gets in, it is kRefused.
  static Result<ServerChannel> bind(ChannelContext& context, const std::string& endpoint,
                                    const TcpSecurity& security = {});
  // One more endpoint; what comes and goes is the same from then on.
  Result<void> also_bind(const std::string& endpoint, const TcpSecurity& security = {});
  // As bound: port 0 or * has become the port that the system chose.
  std::vector<std::string> endpoints() const;
  ServerChannel(ServerChannel&&) noexcept;
  ServerChannel& operator=(ServerChannel&&) noexcept;
  ~ServerChannel();

  // The next whole message, or nothing when none is waiting. Malformed multiparts are dropped and
  // counted.
  std::optional<Received> receive();
  // Blobs from 16 KiB on are not copied: their owner is let go later, on another thread.
  SendStatus send(PeerId peer, std::string_view header, const Blob& blob);
  // Until a message may wait here, one of `others` is ready (their revents say which) or `timeout`
  // is over; empty: no limit. May return early; a signal ends it too.
  void wait(std::span<pollfd> others, std::optional<nanoseconds> timeout);
  std::uint64_t dropped() const;
  // Where the message that receive() gave last came from, for the log: an address, a process id.
  std::string last_sender();
  // Callers over TCP whose handshake broke off since the last time: with the key of another broker,
  // or no fanmill at all.
  std::vector<std::string> broken_off();

 private:
  struct Impl;
  explicit ServerChannel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// DEALER, one per session: after a protocol error or silence, close it and connect another.
class PeerChannel {
 public:
  // inproc: also before the broker is there. ipc: refused (kUnreachable) if nobody listens. tcp:
  // whether anybody is there, and lets us in, shows in ended().
  static Result<PeerChannel> connect(ChannelContext& context, const Address& address);
  PeerChannel(PeerChannel&&) noexcept;
  PeerChannel& operator=(PeerChannel&&) noexcept;
  ~PeerChannel();

  std::optional<Received> receive();
  SendStatus send(std::string_view header, const Blob& blob);
  // Until a message may wait here, one of `others` is ready (their revents say which) or `timeout`
  // is over; empty: no limit. May return early; a signal ends it too.
  void wait(std::span<pollfd> others, std::optional<nanoseconds> timeout);
  // After a receive() that gave nothing: why there is no connection any more, or will be none
  // (kUnreachable, kRefused). Never over inproc.
  const std::optional<Error>& ended() const;
  // It ended in its handshake without a word. A broker with another key does that, and so does a
  // connection that is cut just then: ended() is to be believed when it comes again.
  bool broke_off() const;

 private:
  struct Impl;
  explicit PeerChannel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanmill
