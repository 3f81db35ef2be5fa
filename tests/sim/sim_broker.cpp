#include "tests/sim/sim_broker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/network.hpp"

namespace fanmill::sim {
namespace {

// The loop takes a longer standstill for a pause of the whole process (broker/loop.cpp).
constexpr nanoseconds kPauseNoticed = 2s;

broker::CoreConfig config_of(const Plan& plan, broker::Life life) {
  broker::CoreConfig config;
  config.life = life;
  config.seed = plan.seed;
  config.results_cap = plan.results_cap;
  config.producer_window_tasks = plan.producer_window_tasks;
  config.producer_window_bytes = plan.producer_window_bytes;
  return config;
}

}  // namespace

SimBroker::SimBroker(World& world)
    : world_(world), store_(world.oracle), core_(config_of(world.plan, {})) {
  turn_at(world_.now());
}

void SimBroker::kill(nanoseconds away) {
  if (!alive()) return;
  // The commit that is under way may have come through.
  std::uint64_t left = store_.durable();
  if (committing_ != 0 && world_.random.chance(0.5)) left = committing_;
  world_.tell([&] {
    return fmt::format("broker dies; of {} writes {} were durable, {} are left", store_.written(),
                       store_.durable(), left);
  });
  if (left > store_.durable()) store_.commit(left);
  core_.reset();
  ++life_;
  ++turn_number_;
  turn_at_.reset();
  committing_ = 0;
  sync_fails_.reset();
  full_told_ = false;
  inbox_.clear();
  held_.clear();
  paused_until_ = {};
  gap_ = nanoseconds(0);
  world_.oracle.broker_dies();
  world_.events.after(away, [this] { live(); });
}

void SimBroker::live() {
  broker::Recovered recovered = store_.restart(store_.durable());
  core_.emplace(config_of(world_.plan, recovered.life));
  world_.tell(
      [&] { return fmt::format("broker begins its life of epoch {}", recovered.life.epoch); });
  world_.oracle.broker_lives(recovered.life.epoch);
  before_ = durable_told_ = store_.written();
  if (const auto done = core_->restore(std::move(recovered), world_.now()); !done)
    violated("what was written can be read", done.error().message);
  core_->check_invariants();
  turn_at(world_.now());
}

void SimBroker::deliver(broker::Event event) {
  if (!alive()) return;
  inbox_.push_back(std::move(event));
  turn_at(world_.now() + (world_.plan.turn_delay > nanoseconds(0)
                              ? world_.random.exponential(world_.plan.turn_delay)
                              : nanoseconds(0)));
}

void SimBroker::pause(nanoseconds gap) {
  if (!alive()) return;
  world_.tell([&] { return fmt::format("broker pauses for {} ms", gap.count() / 1'000'000); });
  paused_until_ = std::max(paused_until_, world_.now() + gap);
  // The loop may have been waiting already when it was stopped.
  gap_ = paused_until_ - world_.now() + world_.random.between(nanoseconds(0), nanoseconds(1s));
  turn_at(paused_until_);
}

void SimBroker::turn_at(MonoTime time) {
  time = std::max(time, paused_until_);
  if (turn_at_ && *turn_at_ <= time && *turn_at_ >= paused_until_) return;
  turn_at_ = time;
  world_.events.at(time, [this, number = ++turn_number_] {
    if (number != turn_number_) return;
    turn_at_.reset();
    turn();
  });
}

void SimBroker::step(const broker::Event& event) {
  world_.oracle.broker_hears(event);
  if (const auto* store = std::get_if<broker::StoreFull>(&event))
    world_.oracle.disk_is_full(store->full);
  core_->step(event, world_.now());
  world_.oracle.broker_stepped();
}

void SimBroker::turn() {
  if (const nanoseconds gap = std::exchange(gap_, nanoseconds(0)); gap > kPauseNoticed)
    step(broker::Paused{gap});
  const std::vector<broker::Event> events = std::exchange(inbox_, {});
  for (const broker::Event& event : events) step(event);
  if (events.empty()) step(broker::Tick{});
  carry_out();
  if (++turns_ % 16 != 0) return;
  core_->check_invariants();
  world_.oracle.check_leases(core_->view());
}

void SimBroker::carry_out() {
  for (;;) {
    broker::Duties duties = core_->take_duties(world_.now());
    world_.oracle.broker_stepped();
    const bool wrote = !duties.writes.empty();
    store_.write(std::move(duties.writes));
    if (wrote) commit_later();
    for (const broker::Outgoing& message : duties.send_now) world_.oracle.broker_emits(message);
    for (const broker::Outgoing& message : duties.send_after) world_.oracle.broker_emits(message);
    for (const broker::Outgoing& message : duties.send_now) send(message);
    for (broker::Outgoing& message : duties.send_after)
      held_.push_back({store_.written(), std::move(message)});
    while (!held_.empty() && held_.front().write <= store_.durable()) {
      send(held_.front().message);
      held_.pop_front();
    }
    if (duties.wake_at) turn_at(*duties.wake_at);
    if (store_.durable() <= durable_told_) return;
    durable_told_ = store_.durable();
    step(broker::Durable{durable_told_ - before_});
  }
}

// One commit at a time; whatever is written while it runs goes into the next one.
void SimBroker::commit_later() {
  if (committing_ != 0) return;
  const Plan& plan = world_.plan;
  const bool at_once = plan.commit_max == nanoseconds(0);
  if (at_once && (!sync_fails_ || world_.calm) && world_.now() >= full_until_) {
    store_.commit(store_.written());
    return;
  }
  committing_ = store_.written();
  world_.events.after(
      at_once ? nanoseconds(0) : world_.random.between(plan.commit_min, plan.commit_max),
      [this, life = life_] {
        if (life == life_) end_commit();
      });
}

void SimBroker::end_commit() {
  if (sync_fails_ && !world_.calm) {
    world_.tell([] { return std::string("a sync fails"); });
    world_.kill_broker(*std::exchange(sync_fails_, std::nullopt));
    return;
  }
  if (has_no_room()) {
    world_.events.at(full_until_, [this, life = life_] {
      if (life == life_) end_commit();
    });
    return;
  }
  store_.commit(std::exchange(committing_, 0));
  turn_at(world_.now());
  if (store_.written() > store_.durable()) commit_later();
}

// The core is told once, and again when there is room.
bool SimBroker::has_no_room() {
  if (world_.now() >= full_until_) return false;
  if (!std::exchange(full_told_, true)) {
    world_.tell([] { return std::string("the disk is full"); });
    deliver(broker::StoreFull{true});
    world_.events.at(full_until_, [this, life = life_] { tell_of_room(life); });
  }
  if (reserve_ == 0) return true;
  --reserve_;
  return false;
}

void SimBroker::tell_of_room(std::uint64_t life) {
  if (life != life_) return;
  if (world_.now() < full_until_) {
    world_.events.at(full_until_, [this, life] { tell_of_room(life); });
    return;
  }
  full_told_ = false;
  deliver(broker::StoreFull{false});
}

void SimBroker::fill_disk(nanoseconds lasts) {
  full_until_ = std::max(full_until_, world_.now() + lasts);
  reserve_ = world_.random.chance(0.5) ? world_.random.between(1, 20) : 0;
}

void SimBroker::fail_next_sync(nanoseconds away) {
  if (alive()) sync_fails_ = away;
}

void SimBroker::send(const broker::Outgoing& message) {
  std::optional<Blob> blob = std::visit(
      [this](const auto& source) -> std::optional<Blob> {
        using Source = std::decay_t<decltype(source)>;
        if constexpr (std::is_same_v<Source, std::monostate>) {
          return Blob{};
        } else if constexpr (std::is_same_v<Source, Blob>) {
          return source;
        } else {
          return store_.read(source);
        }
      },
      message.blob);
  if (blob && message.tuples) {
    const std::optional<Blob> tuples = store_.read(*message.tuples);
    if (tuples) {
      std::string both(blob->view());
      both += tuples->view();
      blob = Blob::from(std::move(both));
    } else {
      blob.reset();
    }
  }
  world_.oracle.broker_sends(message, blob.has_value());
  if (!blob) return;
  std::visit(
      [&](const auto& direction) {
        world_.network->from_broker(message.peer, message.session, direction, *blob);
      },
      message.message);
}

}  // namespace fanmill::sim
