#include "tests/sim/sim_producer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/payload.hpp"
#include "tests/sim/text.hpp"

namespace fanmill::sim {
namespace {

producer::SessionConfig config_of(World& world, std::uint32_t number) {
  producer::SessionConfig config;
  config.instance = world.next_instance();
  config.host = "p" + std::to_string(number);
  config.pid = number;
  config.seed = world.plan.seed + number;
  config.window_bytes = world.plan.reader_windows[number];
  return config;
}

}  // namespace

SimProducer::SimProducer(World& world, std::uint32_t number)
    : world_(world), number_(number), session_(config_of(world, number), world.now()) {
  for (const JobPlan& plan : world.plan.jobs) {
    if (plan.producer != number) continue;
    Feed feed;
    feed.plan = &plan;
    feed.handle = session_.open(plan.key, plan.options, plan.order, world.now());
    if (plan.cancel_after) feed.cancel_at = world.now() + *plan.cancel_after;
    if (plan.pause_after) {
      feed.pause_at = world.now() + *plan.pause_after;
      feed.resume_at = *feed.pause_at + plan.pause_lasts;
    }
    feeds_.push_back(feed);
  }
  turn_at(world.now());
}

PeerNumber SimProducer::peer() const {
  return static_cast<PeerNumber>(world_.plan.workers.size()) + number_;
}

void SimProducer::pause(nanoseconds gap) {
  world_.tell([&] {
    return fmt::format("producer {} is silent for {} ms", number_, gap.count() / 1'000'000);
  });
  paused_until_ = std::max(paused_until_, world_.now() + gap);
  turn_at(paused_until_);
}

void SimProducer::disconnect() { world_.network->cut(peer()); }

void SimProducer::leave() {
  session_.goodbye(world_.now());
  carry_out();
}

void SimProducer::turn_at(MonoTime time) {
  time = std::max(time, paused_until_);
  if (turn_at_ && *turn_at_ <= time && *turn_at_ >= paused_until_) return;
  turn_at_ = time;
  world_.events.at(time, [this, number = ++turn_number_] {
    if (number != turn_number_) return;
    turn_at_.reset();
    turn();
  });
}

void SimProducer::turn() {
  if (!std::exchange(connected_told_, true)) session_.connected(world_.now());
  for (const Waiting& waiting : std::exchange(inbox_, {})) {
    if (!waiting.envelope) {
      session_.garbled({ErrorCode::kProtocol, "garbled"}, world_.now());
      continue;
    }
    world_.oracle.producer_hears(waiting.envelope->message);
    if (waiting.envelope->session != SessionId{}) last_session_ = waiting.envelope->session;
    session_.message(*waiting.envelope, waiting.blob, world_.now());
  }
  session_.tick(world_.now());
  for (Feed& one : feeds_) feed(one);
  carry_out();
}

void SimProducer::feed(Feed& feed) {
  const MonoTime now = world_.now();
  if (feed.ended) return;
  if (feed.cancel_at) {
    if (now >= *feed.cancel_at) {
      feed.cancel_at.reset();
      feed.cancelled = true;
      world_.oracle.producer_cancels(feed.plan->ordinal);
      world_.tell([&] { return "producer cancels " + feed.plan->key; });
      session_.cancel(feed.handle, feed.plan->cancel_grace_ms, now);
    } else {
      turn_at(*feed.cancel_at);
    }
  }
  pause_and_resume(feed);
  const bool submits = feed.plan->pushers.empty();
  while (submits && !feed.cancelled && feed.next < feed.plan->tuples && now >= feed.feed_at &&
         session_.may_submit(feed.handle)) {
    submit_chunk(feed);
    feed.feed_at = now + feed.plan->feed_pause;
  }
  if (submits && feed.next < feed.plan->tuples && feed.feed_at > now) turn_at(feed.feed_at);
  if (submits && !feed.cancelled && !feed.closed && feed.next == feed.plan->tuples) {
    if (!feed.close_at) feed.close_at = now + std::chrono::milliseconds(feed.plan->closes_late_ms);
    if (now >= *feed.close_at) {
      feed.closed = true;
      session_.close(feed.handle, now);
    } else {
      turn_at(*feed.close_at);
    }
  }
  world_.oracle.producer_accepted(feed.plan->ordinal, session_.accepted(feed.handle));
}

// Messages may be lost, and come late: each is said again, and the last word is to go on.
void SimProducer::pause_and_resume(Feed& feed) {
  const MonoTime now = world_.now();
  if (!feed.pause_at) return;
  if (now < *feed.pause_at) {
    turn_at(*feed.pause_at);
    return;
  }
  feed.pause_at = now + 3s;
  turn_at(*feed.pause_at);
  const auto id = world_.oracle.id_of(feed.plan->ordinal);
  if (!id || connection_ == PeerId{}) return;
  const Steering action = now < feed.resume_at ? Steering::kPause : Steering::kResume;
  const Steer steer{(std::uint64_t{number_} << 32) | ++steered_, {*id}, action, 0};
  world_.network->to_broker(connection_, last_session_, FromProducer{steer}, {});
}

void SimProducer::submit_chunk(Feed& feed) {
  const std::uint64_t most = world_.random.between(1, feed.plan->chunk_tuples);
  ChunkBuilder builder;
  for (std::uint64_t i = 0; i < most && feed.next < feed.plan->tuples && !builder.full(); ++i) {
    append_tuple(builder.bytes(), *feed.plan, feed.next++);
    builder.tuple_done();
  }
  session_.submit(feed.handle, builder.take(), world_.now());
}

void SimProducer::notice(const producer::Notice& notice) {
  const auto feed_of = [this](producer::JobHandle handle) -> Feed& {
    return *std::find_if(feeds_.begin(), feeds_.end(),
                         [handle](const Feed& feed) { return feed.handle == handle; });
  };
  if (const auto* rows = std::get_if<producer::RowsArrived>(&notice)) {
    Feed& feed = feed_of(rows->handle);
    world_.oracle.rows_arrive(feed.plan->ordinal, rows->rows, rows->blob);
    feed.arrived = rows->rows.next;
    if (feed.reading) return;
    feed.reading = true;
    world_.events.after(feed.plan->read_pause, [this, &feed] {
      feed.reading = false;
      world_.oracle.rows_taken(feed.plan->ordinal, feed.arrived);
      session_.rows_done(feed.handle, feed.arrived, world_.now());
      turn_at(world_.now());
    });
  } else if (const auto* ended = std::get_if<producer::Ended>(&notice)) {
    Feed& feed = feed_of(ended->handle);
    feed.ended = true;
    world_.tell([&] { return "producer sees the end of " + feed.plan->key; });
    world_.oracle.job_ended(feed.plan->ordinal, ended->counts);
  } else if (const auto* refused = std::get_if<producer::JobRefused>(&notice)) {
    violated("no job is refused without a reason",
             fmt::format("{}: {} {}", feed_of(refused->handle).plan->key,
                         name_of(refused->error.code), refused->error.message));
  }
}

void SimProducer::carry_out() {
  producer::SessionDuties duties = session_.take_duties(world_.now());
  if (duties.reconnect) reconnect();
  for (const producer::ToSend& send : duties.send) {
    world_.oracle.producer_emits(send.message);
    if (connection_ != PeerId{})
      world_.network->to_broker(connection_, send.session, send.message, send.blob);
  }
  for (const producer::Notice& one : duties.notices) notice(one);
  if (!duties.notices.empty()) turn_at(world_.now());
  if (duties.wake_at) turn_at(*duties.wake_at);
}

void SimProducer::reconnect() {
  if (connection_ != PeerId{}) world_.network->close(connection_);
  connection_ = {};
  world_.events.after(world_.random.magnitude(100us, 50ms), [this] {
    PeerEnd end;
    end.to_producer = [this](const Envelope<ToProducer>& envelope, const Blob& blob) {
      inbox_.push_back({envelope, blob});
      turn_at(world_.now());
    };
    end.garbled = [this] {
      inbox_.push_back({});
      turn_at(world_.now());
    };
    connection_ = world_.network->connect(peer(), std::move(end));
    connected_told_ = false;
    turn_at(world_.now());
  });
}

std::string SimProducer::text() const {
  std::string all = fmt::format("producer {}: {}", number_,
                                session_.is_connected() ? "connected" : "not connected");
  for (const Feed& feed : feeds_)
    all += fmt::format(", {} submitted {} accepted {}{}", feed.plan->key,
                       session_.submitted(feed.handle), session_.accepted(feed.handle),
                       feed.ended ? " ended" : "");
  return all;
}

}  // namespace fanmill::sim
