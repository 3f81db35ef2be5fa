#include "producer/client.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <random>
#include <utility>

#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

// Read at most so many messages before the caller gets a turn.
constexpr int kMessagesPerTurn = 256;
// So many handshakes in a row that break off are a broker with another key, and not the network.
constexpr int kBelievedAfter = 3;

std::uint64_t random_u64() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string user_name() {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr) {
    return std::to_string(geteuid());
  }
  return std::string(found->pw_name).substr(0, limits::kNameBytesMax);
}

}  // namespace

struct Client::State {
  ChannelContext* context;
  Address address;
  std::optional<PeerChannel> channel;
  Session session;
  struct Unsent {
    std::string header;
    Blob blob;
  };
  std::deque<Unsent> unsent;  // what the socket did not take
  std::string header;
  std::vector<Notice> notices;
  std::optional<MonoTime> wake_at;
  std::optional<Error> connect_error;
  int broken_off = 0;  // handshakes before this one, one after the other

  State(ChannelContext& c, Address where, PeerChannel first)
      : context(&c),
        address(std::move(where)),
        channel(std::move(first)),
        session({.instance = InstanceId{random_u64()},
                 .host = host_name(),
                 .pid = static_cast<std::uint32_t>(getpid()),
                 .user = address.endpoint.starts_with("inproc://") ? "" : user_name(),
                 .seed = random_u64()},
                mono_now()) {
    session.connected(mono_now());
  }

  void reconnect() {
    unsent.clear();
    if (channel && channel->broke_off()) ++broken_off;
    channel.reset();
    auto made = PeerChannel::connect(*context, address);
    if (made) {
      channel.emplace(std::move(*made));
      session.connected(mono_now());
    } else {
      connect_error = made.error();
      session.garbled(made.error(), mono_now());
    }
  }

  void send(std::string_view head, const Blob& blob) {
    if (!channel) return;
    if (unsent.empty()) {
      switch (channel->send(head, blob)) {
        case SendStatus::kSent:
          return;
        case SendStatus::kWouldBlock:
          break;
        case SendStatus::kPeerGone:
          session.garbled({ErrorCode::kUnreachable, "the broker is gone"}, mono_now());
          return;
      }
    }
    unsent.push_back({std::string(head), blob});
  }

  void send_unsent() {
    while (!unsent.empty() && channel) {
      const SendStatus status = channel->send(unsent.front().header, unsent.front().blob);
      if (status == SendStatus::kWouldBlock) return;
      unsent.pop_front();
    }
  }

  void carry_out() {
    send_unsent();
    // A reconnection leads to a hello, a refusal to a notice, and so to another turn.
    for (int turn = 0; turn < 2; ++turn) {
      SessionDuties duties = session.take_duties(mono_now());
      std::move(duties.notices.begin(), duties.notices.end(), std::back_inserter(notices));
      wake_at = duties.wake_at;
      for (const ToSend& out : duties.send) {
        encode(header, out.session, out.message);
        if (!refused_as_unreadable(out)) send(header, out.blob);
      }
      if (duties.reconnect) reconnect();
    }
  }

  // A job that the broker could not read it could not refuse by name either, and it would end the
  // session each time it is told.
  bool refused_as_unreadable(const ToSend& out) {
    const auto* open = std::get_if<OpenJob>(&out.message);
    if (open == nullptr) return false;
    const auto read = decode_to_broker(header);
    if (read) return false;
    session.message(
        {out.session, Refused{open->key,
                              {},
                              ErrorCode::kUsage,
                              "this job does not fit into a message (function, command, "
                              "names and options): " +
                                  read.error().message}},
        {}, mono_now());
    return true;
  }

  void receive() {
    for (int i = 0; i < kMessagesPerTurn && channel; ++i) {
      std::optional<Received> in = channel->receive();
      if (!in) break;
      connect_error.reset();
      broken_off = 0;
      auto envelope = decode_to_producer(in->header);
      if (envelope) {
        session.message(*envelope, in->blob, mono_now());
      } else {
        if (envelope.error().code == ErrorCode::kVersion) {
          connect_error = Error{ErrorCode::kVersion, "the broker at " + address.endpoint + ": " +
                                                         envelope.error().message};
        }
        session.garbled(envelope.error(), mono_now());
      }
    }
    if (channel && channel->ended()) {
      connect_error = channel->ended();
      if (connect_error->code == ErrorCode::kRefused && channel->broke_off() &&
          broken_off + 1 < kBelievedAfter) {
        connect_error = Error{ErrorCode::kUnreachable, "the connection to " + address.endpoint +
                                                           " was cut while it was made"};
      }
      session.garbled(*connect_error, mono_now());
    }
  }

  void wait(std::optional<nanoseconds> timeout, std::span<pollfd> extra) {
    if (wake_at) {
      const nanoseconds left = std::max<nanoseconds>(*wake_at - mono_now(), nanoseconds(0));
      timeout = timeout ? std::min(*timeout, left) : left;
    }
    if (!notices.empty()) timeout = nanoseconds(0);
    if (channel) {
      channel->wait(extra, timeout);
    } else {
      wait_for(extra, timeout);
    }
  }
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() {
  if (state_ == nullptr) return;
  state_->session.goodbye(mono_now());
  state_->carry_out();
}

Result<Client> Client::connect(ChannelContext& context, const Address& address) {
  auto channel = PeerChannel::connect(context, address);
  if (!channel) return tl::make_unexpected(channel.error());
  return Client(std::make_unique<State>(context, address, std::move(*channel)));
}

const std::optional<Error>& Client::connect_error() const { return state_->connect_error; }

Session& Client::session() { return state_->session; }

std::vector<Notice> Client::pump(std::optional<nanoseconds> timeout, std::span<pollfd> extra) {
  for (pollfd& fd : extra) fd.revents = 0;
  state_->carry_out();
  state_->wait(timeout, extra);
  state_->receive();
  state_->carry_out();
  return std::exchange(state_->notices, {});
}

std::string Client::fresh_key() {
  return fmt::format("{:016x}{:016x}", random_u64(), random_u64());
}

Result<JobCounts> run_job(Client& client, JobOptions options, RowOrder order, const Fill& fill,
                          const TakeRows& take) {
  // Few chunks a turn, so that rows are taken while the input is long.
  constexpr int kChunksPerTurn = 4;
  Session& session = client.session();
  const JobHandle job = session.open(Client::fresh_key(), std::move(options), order, mono_now());
  ChunkBuilder builder;
  bool more = true;
  while (true) {
    for (int i = 0; more && i < kChunksPerTurn && session.may_submit(job); ++i) {
      more = fill(builder);
      if (!builder.empty()) session.submit(job, builder.take(), mono_now());
      if (!more) session.close(job, mono_now());
    }
    const bool busy = more && session.may_submit(job);
    for (const Notice& notice : client.pump(busy ? std::optional(nanoseconds(0)) : std::nullopt)) {
      if (const auto* rows = std::get_if<RowsArrived>(&notice)) {
        if (rows->handle != job) continue;
        take(*rows);
        session.rows_done(job, rows->rows.next, mono_now());
      } else if (const auto* ended = std::get_if<Ended>(&notice)) {
        if (ended->handle == job) return ended->counts;
      } else if (const auto* refused = std::get_if<JobRefused>(&notice)) {
        if (refused->handle == job) return tl::make_unexpected(refused->error);
      }
    }
  }
}

}  // namespace fanmill::producer
