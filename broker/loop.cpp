#include "broker/loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <utility>

#include "proto/codec.hpp"
#include "proto/log.hpp"
#include "proto/seldom.hpp"

namespace fanmill::broker {
namespace {

// Messages taken before duties are carried out: one commit and one dispatch serve them all.
constexpr int kMessagesPerTurn = 64;
// A turn that comes so much later than planned means that the whole process stood still.
constexpr nanoseconds kPauseNoticed = std::chrono::seconds(1);

}  // namespace

struct Loop::State {
  State(ServerChannel bound, Core made, LoopOptions options)
      : channel(std::move(bound)),
        core(std::move(made)),
        store(std::move(options.store)),
        stop_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~State() { ::close(stop_fd); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  struct Held {  // a message that waits for the writes handed over before it
    std::uint64_t write;
    Outgoing message;
  };

  ServerChannel channel;
  Core core;
  std::unique_ptr<Store> store;
  int stop_fd;
  std::uint64_t writes_handed_over = 0;
  std::uint64_t durable_told = 0;
  bool full_told = false;
  std::deque<Held> held;
  std::vector<PeerId> gone;
  std::string header;  // reused for every message
  std::optional<MonoTime> wake_at;
  bool stop_seen = false;
  Seldom strangers;  // that the log has named

  int receive(MonoTime now) {
    int taken = 0;
    for (; taken < kMessagesPerTurn; ++taken) {
      auto received = channel.receive();
      if (!received) break;
      auto envelope = decode_to_broker(received->header);
      if (!envelope) {
        tell_malformed(envelope.error(), now);
        core.step(MalformedArrived{received->peer, envelope.error()}, now);
        continue;
      }
      core.step(MessageArrived{received->peer, std::move(*envelope), std::move(received->blob)},
                now);
    }
    return taken;
  }

  void tell_malformed(const Error& error, MonoTime now) {
    const std::string sender = channel.last_sender();
    if (!strangers.may_tell(sender, now)) return;
    log().warn("{} {}: {}", sender,
               error.code == ErrorCode::kVersion ? "was refused" : "sent what is no message",
               error.message);
  }

  void tell_broken_off(MonoTime now) {
    for (const std::string& caller : channel.broken_off()) {
      if (!strangers.may_tell(caller, now)) continue;
      log().warn(
          "{} was refused: it has the join file of another broker, or is no fanmill; copy the join "
          "file from this host again",
          caller);
    }
  }

  // Carries out what the core asks for until it asks for nothing more: a store that is durable at
  // once makes further duties within the same turn.
  void work(MonoTime now) {
    for (;;) {
      Duties duties = core.take_duties(now);
      wake_at = duties.wake_at;
      for (const std::string& line : duties.news) log().info(line);
      if (store->full() != full_told) {
        full_told = store->full();
        core.step(StoreFull{full_told}, now);
      }
      const bool wrote = !duties.writes.empty();
      if (wrote) {
        writes_handed_over += duties.writes.size();
        store->write(std::move(duties.writes));
      }
      for (Outgoing& message : duties.send_now) send(message);
      for (Outgoing& message : duties.send_after) {
        held.push_back({writes_handed_over, std::move(message)});
      }
      release_durable();
      bool again = wrote;
      if (const std::uint64_t durable = store->durable(); durable > durable_told) {
        durable_told = durable;
        core.step(Durable{durable}, now);
        again = true;
      }
      for (const PeerId peer : std::exchange(gone, {})) {
        core.step(PeerGone{peer}, now);
        again = true;
      }
      if (!again) return;
    }
  }

  void release_durable() {
    const std::uint64_t durable = store->durable();
    while (!held.empty() && held.front().write <= durable) {
      send(held.front().message);
      held.pop_front();
    }
  }

  std::optional<Blob> blob_of(const Outgoing& message) {
    std::optional<Blob> blob = std::visit(
        [this](const auto& source) -> std::optional<Blob> {
          using Source = std::decay_t<decltype(source)>;
          if constexpr (std::is_same_v<Source, std::monostate>) {
            return Blob{};
          } else if constexpr (std::is_same_v<Source, Blob>) {
            return source;
          } else {
            return store->read(source);
          }
        },
        message.blob);
    if (!blob || !message.tuples) return blob;
    const std::optional<Blob> tuples = store->read(*message.tuples);
    if (!tuples) return std::nullopt;
    std::string both;
    both.reserve(blob->size() + tuples->size());
    both.append(blob->view()).append(tuples->view());
    return Blob::from(std::move(both));
  }

  void send(const Outgoing& message) {
    const std::optional<Blob> blob = blob_of(message);
    // What the message speaks of was dropped meanwhile (cancelled, forgotten): the peer no longer
    // needs it.
    if (!blob) return;
    std::visit([&](const auto& direction) { encode(header, message.session, direction); },
               message.message);
    if (channel.send(message.peer, header, *blob) == SendStatus::kPeerGone)
      gone.push_back(message.peer);
  }

  void wait(MonoTime now) {
    nanoseconds timeout = std::chrono::seconds(1);
    if (wake_at) timeout = std::clamp(*wake_at - now, nanoseconds(0), timeout);
    // Without an event the store's descriptor is -1, which poll(2) passes over.
    std::array<pollfd, 2> extra{pollfd{stop_fd, POLLIN, 0}, pollfd{store->event_fd(), POLLIN, 0}};
    channel.wait(extra, timeout);
    stop_seen = (extra[0].revents & POLLIN) != 0;
    if ((extra[1].revents & POLLIN) == 0) return;
    std::uint64_t events = 0;
    (void)!::read(extra[1].fd, &events, sizeof events);
  }

  Result<void> run() {
    MonoTime last = mono_now();
    while (true) {
      MonoTime now = mono_now();
      if (now - last > kPauseNoticed + std::chrono::seconds(1)) {
        // Messages that waited meanwhile come first, and nobody's lease pays for our absence.
        core.step(Paused{now - last}, now);
      }
      last = now;
      const int taken = receive(now);
      if (taken == 0) {
        core.step(Tick{}, now);
        tell_broken_off(now);
      }
      work(now);
      if (auto failure = store->failure()) return tl::make_unexpected(std::move(*failure));
      if (stop_seen) return {};
      if (taken < kMessagesPerTurn) wait(now);
    }
  }
};

Loop::Loop(std::unique_ptr<State> state) : state_(std::move(state)) {}
Loop::Loop(Loop&&) noexcept = default;
Loop& Loop::operator=(Loop&&) noexcept = default;
Loop::~Loop() = default;

Result<Loop> Loop::bind(ChannelContext& context, LoopOptions options) {
  FANMILL_ASSERT(!options.endpoints.empty());
  options.core.durability = std::string(options.store->level());
  options.core.version = FANMILL_VERSION;
  Core core(options.core);
  if (auto restored = core.restore(std::move(options.recovered), mono_now()); !restored)
    return tl::make_unexpected(std::move(restored.error()));
  auto channel = ServerChannel::bind(context, options.endpoints.front(), options.security);
  if (!channel) return tl::make_unexpected(channel.error());
  for (std::size_t i = 1; i < options.endpoints.size(); ++i) {
    const auto bound = channel->also_bind(options.endpoints[i], options.security);
    if (!bound) return tl::make_unexpected(bound.error());
  }
  core.reached_at(channel->endpoints());
  return Loop(std::make_unique<State>(std::move(*channel), std::move(core), std::move(options)));
}

std::vector<std::string> Loop::endpoints() const { return state_->channel.endpoints(); }
Result<void> Loop::run() { return state_->run(); }

void Loop::request_stop() {
  const std::uint64_t one = 1;
  // The counter cannot overflow, and there is nobody to tell if the write failed.
  (void)!::write(state_->stop_fd, &one, sizeof one);
}

}  // namespace fanmill::broker
