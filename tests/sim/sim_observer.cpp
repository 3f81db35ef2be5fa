#include "tests/sim/sim_observer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "proto/chunk.hpp"
#include "proto/limits.hpp"
#include "proto/value.hpp"
#include "tests/sim/payload.hpp"

namespace fanmill::sim {
namespace {
constexpr nanoseconds kTick = 500ms;
constexpr nanoseconds kSilence = 6s;
constexpr std::uint32_t kLooks = 3;  // of a reader in the order recorded
}  // namespace

SimObserver::SimObserver(World& world, std::uint32_t number)
    : world_(world),
      plan_(world.plan.observers[number]),
      number_(number),
      instance_(world.next_instance()),
      requests_(std::uint64_t{1000 + number} << 32) {
  world_.oracle.observer_is(instance_, number);
  for (const auto& [at, lasts] : plan_.pauses) {
    agenda_.emplace_back(world_.now() + at, Steering::kPause);
    agenda_.emplace_back(world_.now() + at + lasts, Steering::kResume);
  }
  std::stable_sort(agenda_.begin(), agenda_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  world_.events.after(plan_.starts_after, [this] {
    connect();
    tick();
  });
}

bool SimObserver::is_done() const { return done_ || plan_.silent; }

std::string SimObserver::text() const {
  return fmt::format("observer {} of job-{}: session {:x}, cursor {}, {} of {} chunks, {}", number_,
                     plan_.job, session_.value, cursor_, taken_, chunks(),
                     done_ ? "done" : "not done");
}

// ---- the session ----

void SimObserver::connect() {
  const auto peer =
      static_cast<PeerNumber>(world_.plan.workers.size() + world_.plan.producers + number_);
  PeerEnd end;
  end.to_producer = [this](const Envelope<ToProducer>& envelope, const Blob& blob) {
    hear(envelope, blob);
  };
  end.garbled = [this] { connect(); };
  connection_ = world_.network->connect(peer, std::move(end));
  session_ = {};
  ++attempt_;
  heard_ = said_ = world_.now();
  say(ProducerHello{instance_, attempt_, "o", number_, "observer"});
}

void SimObserver::say(const FromProducer& message, const Blob& blob) {
  world_.network->to_broker(connection_, session_, message, blob);
}

void SimObserver::tick() {
  if (done_ && plan_.role != ObserverRole::kReads) return;
  const MonoTime now = world_.now();
  if (now - heard_ >= kSilence) {
    connect();
  } else if (session_ == SessionId{}) {
    if (now - said_ >= limits::kResendAfter) {
      said_ = now;
      say(ProducerHello{instance_, attempt_, "o", number_, "observer"});
    }
  } else {
    if (now - beat_ >= limits::kHeartbeatInterval) {
      beat_ = now;
      say(ProducerHeartbeat{});
    }
    go_on();
  }
  if (!world_.oracle.all_ended() || !done_) world_.events.after(kTick, [this] { tick(); });
}

void SimObserver::hear(const Envelope<ToProducer>& envelope, const Blob& blob) {
  if (const auto* welcome = std::get_if<ProducerWelcome>(&envelope.message)) {
    if (welcome->attempt != attempt_ || session_ != SessionId{}) return;
    session_ = envelope.session;
    heard_ = world_.now();
    begin();
    return;
  }
  if (envelope.session != session_ || session_ == SessionId{}) return;
  heard_ = world_.now();
  if (std::holds_alternative<UnknownSession>(envelope.message)) {
    connect();
  } else if (const auto* rows = std::get_if<Rows>(&envelope.message)) {
    on_rows(*rows, blob);
  } else if (const auto* over = std::get_if<JobEnded>(&envelope.message)) {
    on_end(true, over->counts);
  } else if (const auto* end = std::get_if<RowsEnded>(&envelope.message)) {
    if (end->cursor == cursor_) on_end(false, end->counts);
  } else if (const auto* pushed = std::get_if<Pushed>(&envelope.message)) {
    on_pushed(*pushed);
  } else if (const auto* answer = std::get_if<Answer>(&envelope.message)) {
    on_answer(*answer, blob);
  } else if (const auto* refused = std::get_if<Refused>(&envelope.message)) {
    if (refused->code == ErrorCode::kProtocol) return;  // garbled on the way
    // Something of what was cancelled still runs.
    if (plan_.role == ObserverRole::kRetries && refused->code == ErrorCode::kConflict) return;
    const bool known = plan_.role == ObserverRole::kPushes &&
                       refused->code == ErrorCode::kConflict && world_.oracle.is_closed(plan_.job);
    if (!known)
      violated("nobody is refused without a reason",
               fmt::format("observer {}: {}", number_, refused->message));
    done_ = true;
    world_.oracle.pusher_ends(plan_.job, plan_.pusher);
  }
}

void SimObserver::begin() {
  beat_ = world_.now();
  said_ = {};
  sent_ = taken_;
  room_.reset();
  request_ = 0;
  // As recorded, every session is a look of its own: what an earlier one asked cannot end it.
  if (plan_.role == ObserverRole::kReads && plan_.order == RowOrder::kRecorded) {
    cursor_ = acknowledged_ = 0;
    world_.oracle.look_begins(number_);
  }
  go_on();
}

void SimObserver::go_on() {
  if (!job() || done_) return;
  switch (plan_.role) {
    case ObserverRole::kReads:
      if (said_ != MonoTime{} && (plan_.silent || world_.now() - said_ < limits::kResendAfter))
        return;
      ask_for_rows();
      return;
    case ObserverRole::kPushes:
      push_on();
      return;
    case ObserverRole::kSteers:
      steer_on();
      return;
    case ObserverRole::kRetries:
      retry_on();
      return;
  }
}

// ---- reading ----

void SimObserver::ask_for_rows() {
  said_ = world_.now();
  say(Gather{*job(), plan_.order, cursor_, plan_.window});
  if (acknowledged_ == cursor_) say(GatherAck{*job(), acknowledged_});
}

void SimObserver::on_rows(const Rows& rows, const Blob& blob) {
  if (rows.position != cursor_ || done_) return;
  world_.oracle.observer_rows(number_, rows, blob);
  cursor_ = rows.next;
  said_ = world_.now();
  if (plan_.silent || reading_) return;
  reading_ = true;
  world_.events.after(plan_.read_pause, [this] {
    reading_ = false;
    acknowledged_ = cursor_;
    if (session_ == SessionId{} || done_) return;
    said_ = world_.now();
    say(GatherAck{*job(), acknowledged_});
  });
}

void SimObserver::on_end(bool of_the_job, const JobCounts& counts) {
  const bool reads = plan_.role == ObserverRole::kReads || rounds_ > plan_.rounds;
  if (done_ || !reads) return;
  if (of_the_job == (plan_.order == RowOrder::kRecorded))
    violated("a reader's end is of its order", text());
  world_.oracle.observer_sees_end(number_, counts);
  if (of_the_job || ++looks_ == kLooks) {
    done_ = true;
    return;
  }
  session_ = {};
  heard_ = world_.now() - kSilence;  // another look, soon
}

// ---- pushing ----

std::uint64_t SimObserver::chunks() const {
  if (plan_.role != ObserverRole::kPushes) return 0;
  const std::uint64_t tuples = world_.plan.jobs[plan_.job].pushers[plan_.pusher].tuples;
  return (tuples + plan_.chunk_tuples - 1) / plan_.chunk_tuples;
}

std::uint64_t SimObserver::first_of(std::uint64_t sequence) const {
  const PusherPlan& pusher = world_.plan.jobs[plan_.job].pushers[plan_.pusher];
  return pusher.first + std::min(pusher.tuples, sequence * plan_.chunk_tuples);
}

void SimObserver::push_on() {
  const JobPlan& of = world_.plan.jobs[plan_.job];
  const std::string& key = of.pushers[plan_.pusher].key;
  const bool silence = world_.now() - said_ >= limits::kResendAfter;
  if (taken_ == chunks()) {
    done_ = true;
    world_.oracle.pusher_ends(plan_.job, plan_.pusher);
    return;
  }
  if (!room_) {
    if (!silence) return;
    said_ = world_.now();
    say(Push{*job(), key, taken_, 0, {}});
    return;
  }
  if (sent_ > taken_ && silence) sent_ = taken_;
  std::uint64_t bytes = 0;
  while (sent_ < chunks()) {
    ChunkBuilder builder;
    for (std::uint64_t i = first_of(sent_); i < first_of(sent_ + 1); ++i) {
      append_tuple(builder.bytes(), of, i);
      builder.tuple_done();
    }
    ChunkBuilder::Chunk chunk = builder.take();
    bytes += chunk.bytes.size();
    const std::uint64_t tuples = first_of(sent_ + 1) - first_of(taken_);
    const bool fits = tuples <= room_->tasks && bytes <= room_->bytes;
    const bool alone = sent_ == taken_ && room_->tasks > 0 && room_->bytes > 0;
    if (!fits && !alone) return;
    said_ = world_.now();
    say(Push{*job(), key, sent_, chunk.tuples, chunk.blocks}, Blob::from(std::move(chunk.bytes)));
    ++sent_;
  }
}

void SimObserver::on_pushed(const Pushed& pushed) {
  if (plan_.role != ObserverRole::kPushes || done_ || pushed.sequence < taken_) return;
  taken_ = pushed.sequence;
  sent_ = std::max(sent_, taken_);
  room_ = pushed.room;
  world_.oracle.pushed_is_heard(plan_.job, plan_.pusher, first_of(taken_), pushed.next_index);
  push_on();
}

// ---- retrying ----

void SimObserver::retry_on() {
  const MonoTime now = world_.now();
  if (now - said_ < limits::kResendAfter) return;
  const bool settled =
      steering_ == Steering::kResume ||
      (rounds_ == 0 ? world_.readers_are_done(plan_.job) : world_.oracle.all_recorded(plan_.job));
  const bool last = rounds_ == plan_.rounds && steering_ == Steering::kRetry;
  if (rounds_ > plan_.rounds || (settled && last)) {
    rounds_ = plan_.rounds + 1;
    ask_for_rows();
    return;
  }
  if (!settled) return;
  if (request_ == 0) request_ = ++requests_;
  said_ = now;
  say(Steer{request_, {*job()}, steering_, 0, 0});
}

// ---- steering ----

// One thing after the other, each until it is answered; in the end the job is neither paused nor,
// if others push to it, open.
void SimObserver::steer_on() {
  const MonoTime now = world_.now();
  if (request_ != 0 && now - said_ < limits::kResendAfter) return;
  const bool idle = agenda_.empty();
  if (idle && !world_.oracle.pushers_have_ended(plan_.job)) {
    request_ = 0;
    said_ = now;
    say(Ask{++requests_, static_cast<Topic>(requests_ % 4), "last"});
    return;
  }
  if (idle) agenda_.emplace_back(now, Steering::kClose);
  if (agenda_.front().first > now) return;
  if (agenda_.front().second == Steering::kClose && world_.plan.jobs[plan_.job].pushers.empty()) {
    done_ = true;  // its producer closes it
    return;
  }
  if (request_ == 0) request_ = ++requests_;
  said_ = now;
  say(Steer{request_, {*job()}, agenda_.front().second, 0});
}

void SimObserver::on_answer(const Answer& answer, const Blob& blob) {
  std::size_t at = 0;
  if (!decode_msgpack(blob.view(), at) || at != blob.size())
    violated("answers are documents", text());
  if (answer.request != request_ || request_ == 0) return;
  request_ = 0;
  if (plan_.role == ObserverRole::kRetries) {
    rounds_ += steering_ == Steering::kRetry ? 1U : 0U;
    // Somebody may have paused it before its end.
    steering_ = steering_ == Steering::kRetry ? Steering::kResume : Steering::kRetry;
    return;
  }
  done_ = agenda_.front().second == Steering::kClose;
  agenda_.erase(agenda_.begin());
  if (!done_) steer_on();
}

}  // namespace fanmill::sim
