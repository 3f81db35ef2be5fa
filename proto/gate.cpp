#include "proto/gate.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "proto/log.hpp"
#include "proto/seldom.hpp"

namespace fanmill {
namespace {

constexpr const char* kPlace = "inproc://zeromq.zap.01";
constexpr std::size_t kKeyBytes = 32;

// Frames of a request, as RFC 27 numbers them.
enum : std::size_t { kVersion, kRequest, kDomain, kFrom, kRoutingId, kMechanism, kCredentials };

std::string z85(const zmq::message_t& key) {
  std::array<char, 41> text{};
  if (key.size() != kKeyBytes ||
      zmq_z85_encode(text.data(), key.data<std::uint8_t>(), kKeyBytes) == nullptr) {
    return {};
  }
  return text.data();
}

}  // namespace

struct Gate::State {
  explicit State(ChannelContext& context)
      : socket(zmq_socket(context.handle(), ZMQ_REP)), stop(eventfd(0, EFD_CLOEXEC)) {
    const int none = 0;
    if (socket != nullptr) zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
  }
  ~State() {
    if (thread.joinable()) {
      const std::uint64_t one = 1;
      static_cast<void>(!write(stop, &one, sizeof one));
      thread.join();
    }
    if (socket != nullptr) {
      zmq_unbind(socket, kPlace);  // at once; closing alone frees the place some time later
      zmq_close(socket);
    }
    if (stop >= 0) close(stop);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void serve() {
    while (true) {
      std::array<zmq_pollitem_t, 2> items{
          {{socket, 0, ZMQ_POLLIN, 0}, {nullptr, stop, ZMQ_POLLIN, 0}}};
      if (zmq_poll(items.data(), static_cast<int>(items.size()), -1) < 0) {
        if (zmq_errno() == EINTR) continue;
        return;
      }
      if (items[1].revents != 0) return;
      if (items[0].revents != 0) answer();
    }
  }

  void answer() {
    std::vector<zmq::message_t> frames;
    do {
      frames.emplace_back();
      if (zmq_msg_recv(frames.back().handle(), socket, 0) < 0) return;
    } while (frames.back().more());
    // libzmq asks; what is no question of its own gets no guess.
    const bool whole = frames.size() > kCredentials && frames[kVersion].to_string_view() == "1.0";
    std::string user;
    if (whole && frames[kMechanism].to_string_view() == "CURVE") {
      const std::lock_guard lock(mutex);
      const auto found = admitted.find(z85(frames[kCredentials]));
      if (found != admitted.end()) user = found->second;
    }
    if (user.empty() && whole) tell_refused(frames[kFrom].to_string());
    const std::string request = whole ? frames[kRequest].to_string() : "";
    send("1.0", ZMQ_SNDMORE);
    send(request, ZMQ_SNDMORE);
    send(user.empty() ? "400" : "200", ZMQ_SNDMORE);
    send(user.empty() ? "this key is not admitted" : "", ZMQ_SNDMORE);
    send(user, ZMQ_SNDMORE);
    send("", 0);
  }
  // Callers over ipc, whose addresses begin so, are the trial at the start.
  void tell_refused(const std::string& from) {
    if (from.empty() || from.starts_with("localhost:") || !seldom.may_tell(from, mono_now()))
      return;
    log().warn(
        "{} was refused: its key is not admitted here; copy the join file from this host again",
        from);
  }
  void send(std::string_view text, int flags) const {
    zmq_send(socket, text.data(), text.size(), flags);
  }

  void* socket;
  int stop;
  std::mutex mutex;
  std::map<std::string, std::string> admitted;  // user by public key
  Seldom seldom;
  std::thread thread;
};

Gate::Gate(std::unique_ptr<State> state) : state_(std::move(state)) {}
Gate::Gate(Gate&&) noexcept = default;
Gate& Gate::operator=(Gate&&) noexcept = default;
Gate::~Gate() = default;

Result<Gate> Gate::open(ChannelContext& context) {
  auto state = std::make_unique<State>(context);
  if (state->socket == nullptr || state->stop < 0 || zmq_bind(state->socket, kPlace) != 0) {
    return fail(ErrorCode::kSystem,
                std::string("cannot check keys at ") + kPlace + ": " + zmq_strerror(zmq_errno()));
  }
  // Signals are for the threads that wait for them.
  sigset_t all{};
  sigset_t before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state->thread = std::thread([gate = state.get()] { gate->serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return Gate(std::move(state));
}

void Gate::admit(const std::string& public_key, const std::string& user) {
  FANMILL_ASSERT(!user.empty());
  const std::lock_guard lock(state_->mutex);
  state_->admitted[public_key] = user;
}

void Gate::turn_away(const std::string& public_key) {
  const std::lock_guard lock(state_->mutex);
  state_->admitted.erase(public_key);
}

}  // namespace fanmill
