#include "tests/sim/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "proto/limits.hpp"
#include "tests/sim/plan_faults.hpp"

namespace fanmill::sim {
namespace {

double seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

JobPlan make_job(Random& random, std::uint32_t ordinal, std::uint32_t producer, bool crashes) {
  JobPlan job;
  job.ordinal = ordinal;
  job.producer = producer;
  job.key = "job-" + std::to_string(ordinal);
  job.salt = random.next();
  job.options.spec.function = random.chance(0.15) ? "rare" : "work";
  job.options.name = job.key;
  job.options.priority = random.chance(0.2) ? static_cast<std::int32_t>(random.between(0, 2)) : 0;
  job.options.retries = random.chance(0.5) ? static_cast<std::uint32_t>(random.between(1, 3)) : 0;
  job.options.crash_limit =
      random.chance(0.3) ? static_cast<std::uint32_t>(random.between(1, 4)) : 0;
  job.options.rows_with_tuples = random.chance(0.3);
  job.options.forget_when_delivered = random.chance(0.75);
  job.options.wait_workers_ms = 3'600'000;
  job.order = random.chance(0.6) ? RowOrder::kInput : RowOrder::kAsCompleted;

  // How long tasks take decides how many there can be.
  switch (random.between(0, 5)) {
    case 0:  // no-ops
      job.usual = 300ns;
      job.rare = 300ns;
      job.tuples = random.chance(0.08) ? random.between(3000, 20000) : random.between(0, 3000);
      break;
    case 1:  // fast ones, with slow ones among them
      job.usual = 20us;
      job.rare = 100ms;
      job.tuples = random.between(0, 2000);
      break;
    case 2:
      job.usual = 1ms;
      job.rare = 1s;
      job.tuples = random.between(0, 1000);
      break;
    case 3:
      job.usual = 100ms;
      job.rare = 5s;
      job.tuples = random.between(0, 300);
      break;
    case 4:
      job.usual = 2s;
      job.rare = 30s;
      job.tuples = random.between(0, 60);
      break;
    default:
      job.usual = 1us;
      job.rare = 30s;
      job.tuples = random.between(0, 500);
      break;
  }
  job.rare_every = std::max<std::uint64_t>(20, job.tuples / random.between(1, 8));
  job.chunk_tuples = random.chance(0.3)
                         ? limits::kChunkTuplesMax
                         : random.between(1, std::max<std::uint64_t>(2, job.tuples / 4));
  if (random.chance(0.3)) job.feed_pause = random.magnitude(1ms, 2s);
  const std::uint64_t chunks = job.tuples / job.chunk_tuples + 1;
  if (chunks > 40) job.feed_pause = std::min<nanoseconds>(job.feed_pause, 100ms);
  if (random.chance(0.25)) job.read_pause = random.magnitude(1ms, 500ms);
  if (random.chance(0.12)) {
    job.cancel_after = random.magnitude(1ms, 60s);
    job.cancel_grace_ms = random.chance(0.3)   ? CancelJob::kNoKill
                          : random.chance(0.5) ? 0
                                               : random.between(0, 10'000);
  }
  if (random.chance(0.15)) job.closes_late_ms = random.between(1, 20'000);
  if (random.chance(0.4)) job.fail_once = static_cast<std::uint32_t>(random.between(1, 60));
  if (random.chance(0.3)) job.fail = static_cast<std::uint32_t>(random.between(1, 60));
  if (crashes && random.chance(0.5)) {
    job.crash_once = static_cast<std::uint32_t>(random.between(1, 30));
    if (random.chance(0.6)) job.crash = static_cast<std::uint32_t>(random.between(1, 15));
  }
  if (random.chance(0.15)) {
    job.options.spec.time_limit_ms =
        static_cast<std::uint64_t>(std::max(seconds(job.rare) * 2, 1.0) * 1000);
    job.hang = static_cast<std::uint32_t>(random.between(0, 40));
    job.tuples = std::min<std::uint64_t>(job.tuples, 400);
  }
  job.tuple_pad = random.chance(0.1) ? 3000 : random.chance(0.3) ? 200 : 0;
  job.value_pad = random.chance(0.1) ? 3000 : random.chance(0.3) ? 200 : 0;
  return job;
}

// All the work there is, one after the other, everything that will be repeated included.
double serial_seconds(const JobPlan& job) {
  double all = 0;
  const double limit = static_cast<double>(job.options.spec.time_limit_ms) / 1e3;
  for (std::uint64_t i = 0; i < job.tuples; ++i) {
    const double each = seconds(job.duration(i));
    switch (job.behaviour(i)) {
      case Behaviour::kSucceeds:
        all += each;
        break;
      case Behaviour::kFails:
        all += each * (job.options.retries + 1.0);
        break;
      case Behaviour::kCrashes:
        all += each * job.crash_limit();
        break;
      case Behaviour::kFailsOnce:
      case Behaviour::kCrashesOnce:
        all += each * 2;
        break;
      case Behaviour::kHangs:
        all += limit * (job.options.retries + 1.0);
        break;
    }
  }
  return all;
}

// Jobs that run their tasks at most once, and jobs that end early by themselves.
void plan_failures(Plan& plan) {
  Random random(mix(plan.seed ^ 0xfa11));
  for (JobPlan& job : plan.jobs) {
    if (random.chance(0.2)) {
      job.options.spec.at_most_once = true;
      // What has run so far as is known may be asked for again.
      if (!job.options.forget_when_delivered) job.options.rows_with_tuples = true;
      job.options.retries = 0;
    }
    if (!random.chance(0.12)) continue;
    HaltPolicy policy;
    policy.on = static_cast<HaltOn>(random.between(0, 2));
    if (random.chance(0.4)) {
      policy.percent = static_cast<std::uint32_t>(random.between(1, 100));
    } else {
      policy.count = random.between(1, 1 + job.tuples / 4);
    }
    policy.beyond = random.chance(0.5);
    policy.now = random.chance(0.5);
    job.options.halt = {policy};
  }
}

// Which workers take which jobs, in what order, and who is paused. The first worker can run
// everything but what began with another signature than its own.
void plan_places(Plan& plan) {
  Random random(mix(plan.seed ^ 0x91aCe5));
  if (random.chance(0.3)) {
    for (std::size_t i = 0; i < plan.workers.size(); ++i)
      if (i == 0 || random.chance(0.4)) plan.workers[i].labels = {{"gpu", "yes"}, {"zone", "a"}};
    for (JobPlan& job : plan.jobs)
      if (random.chance(0.5)) job.options.where = {{"gpu", "yes"}};
  }
  if (random.chance(0.3))
    for (std::size_t i = 1; i < plan.workers.size(); ++i)
      if (random.chance(0.5)) plan.workers[i].signature = random.chance(0.3) ? "" : "(x: int)";
  if (random.chance(0.3))
    for (JobPlan& job : plan.jobs)
      job.options.priority = static_cast<std::int32_t>(random.between(0, 3)) - 1;
  for (JobPlan& job : plan.jobs) {
    if (!random.chance(0.2)) continue;
    job.pause_after = random.magnitude(1ms, 60s);
    job.pause_lasts = random.magnitude(10ms, 60s);
  }
}

void plan_network(Random& random, Plan& plan) {
  plan.latency = random.magnitude(10us, 50ms);
  plan.jitter = random.chance(0.3) ? nanoseconds(0) : random.magnitude(1us, 100ms);
  if (random.chance(0.5)) plan.loss = random.chance(0.2) ? 0.2 : 0.02;
  if (random.chance(0.5)) plan.repeat = random.chance(0.2) ? 0.3 : 0.03;
  if (random.chance(0.4)) plan.reorder = random.chance(0.3) ? 0.5 : 0.05;
  if (random.chance(0.1)) {
    plan.garble = 0.0005;
    plan.loss = std::min(plan.loss, 0.02);
  }
  plan.partition_holds = random.chance(0.4);
  plan.peer_gone = random.chance(0.5);
  plan.codec = random.chance(0.4) ? 1.0 : random.chance(0.5) ? 0.1 : 0.0;
  if (random.chance(0.1)) plan.start_failures = random.chance(0.3) ? 0.7 : 0.1;
  plan.turn_delay = random.chance(0.5) ? nanoseconds(0) : random.magnitude(1us, 20ms);
  plan.commit_min = random.chance(0.3) ? nanoseconds(0) : random.magnitude(1us, 10ms);
  plan.commit_max = plan.commit_min + (random.chance(0.3)   ? nanoseconds(0)
                                       : random.chance(0.2) ? random.magnitude(1ms, 3s)
                                                            : random.magnitude(1us, 50ms));
}

void plan_pushers(Random& random, JobPlan& job) {
  const std::uint64_t pushers = random.between(1, 3);
  std::uint64_t first = 0;
  for (std::uint64_t i = 0; i < pushers; ++i) {
    const std::uint64_t end = job.tuples * (i + 1) / pushers;
    job.pushers.push_back({fmt::format("push-{}", i), first, end - first});
    first = end;
  }
}

void plan_observers(Random& random, Plan& plan, double estimate) {
  const auto within = [&](double part) {
    return nanoseconds(static_cast<std::int64_t>(1e9 * estimate * part * random.unit()));
  };
  for (JobPlan& job : plan.jobs) {
    if (job.options.forget_when_delivered) continue;
    for (std::uint64_t i = random.chance(0.6) ? random.between(1, 3) : 0; i > 0; --i) {
      ObserverPlan reader;
      reader.role = ObserverRole::kReads;
      reader.job = job.ordinal;
      reader.order = static_cast<RowOrder>(random.between(0, 2));
      reader.window = random.chance(0.5) ? random.between(100, 20'000) : limits::kGatherWindowBytes;
      if (random.chance(0.3)) reader.read_pause = random.magnitude(1ms, 200ms);
      reader.silent = random.chance(0.2);
      reader.starts_after = within(random.chance(0.5) ? 1 : 0);
      plan.observers.push_back(reader);
    }
    for (std::uint32_t i = 0; i < job.pushers.size(); ++i) {
      ObserverPlan pusher;
      pusher.role = ObserverRole::kPushes;
      pusher.job = job.ordinal;
      pusher.pusher = i;
      pusher.chunk_tuples =
          random.between(1, std::max<std::uint64_t>(2, job.pushers[i].tuples / 4));
      pusher.starts_after = within(0.2);
      plan.observers.push_back(pusher);
    }
    if (job.pushers.empty() && !random.chance(0.4)) continue;
    ObserverPlan steerer;
    steerer.role = ObserverRole::kSteers;
    steerer.job = job.ordinal;
    for (std::uint64_t i = random.between(0, 6); i > 0; --i)
      steerer.pauses.emplace_back(within(0.5), random.magnitude(1ms, 10s));
    plan.observers.push_back(steerer);
  }
}

void plan_retries(Plan& plan) {
  Random random(mix(plan.seed ^ 0x4e72));
  for (const JobPlan& job : plan.jobs) {
    const bool silent_reader =
        std::any_of(plan.observers.begin(), plan.observers.end(),
                    [&job](const ObserverPlan& of) { return of.job == job.ordinal && of.silent; });
    if (job.options.forget_when_delivered || !job.options.rows_with_tuples || silent_reader)
      continue;
    ObserverPlan retrier;
    retrier.role = ObserverRole::kRetries;
    retrier.job = job.ordinal;
    retrier.order = RowOrder::kInput;
    retrier.window = limits::kGatherWindowBytes;
    retrier.rounds = static_cast<std::uint32_t>(random.between(1, 2));
    plan.observers.push_back(retrier);
  }
}

}  // namespace

std::uint32_t JobPlan::crash_limit() const {
  if (options.spec.at_most_once) return 1;
  return options.crash_limit == 0 ? limits::kCrashLimit : options.crash_limit;
}

Behaviour JobPlan::behaviour(std::uint64_t index) const {
  auto drawn = static_cast<std::uint32_t>(mix(salt ^ (index * 2 + 1)) % 1000);
  for (const auto& [share, behaviour] :
       {std::pair(fail_once, Behaviour::kFailsOnce), std::pair(fail, Behaviour::kFails),
        std::pair(crash_once, Behaviour::kCrashesOnce), std::pair(crash, Behaviour::kCrashes),
        std::pair(hang, Behaviour::kHangs)}) {
    if (drawn < share) return behaviour;
    drawn -= share;
  }
  return Behaviour::kSucceeds;
}

nanoseconds JobPlan::duration(std::uint64_t index) const {
  if (behaviour(index) == Behaviour::kHangs)
    return std::chrono::milliseconds(options.spec.time_limit_ms * 10);
  const std::uint64_t drawn = mix(salt ^ (index * 2));
  const nanoseconds base = drawn % rare_every == 0 ? rare : usual;
  return base / 2 + nanoseconds(static_cast<std::int64_t>(
                        (drawn >> 32) % static_cast<std::uint64_t>(base.count())));
}

Plan make_plan(std::uint64_t seed) {
  Random random(mix(seed));
  Plan plan;
  plan.seed = seed;
  const bool crashes = random.chance(0.5);
  const std::uint64_t workers = random.between(1, 4);
  std::uint32_t slots = 0;
  for (std::uint64_t i = 0; i < workers; ++i) {
    WorkerPlan worker;
    worker.slots = static_cast<std::uint32_t>(random.between(1, 4));
    slots += worker.slots;
    worker.window = {limits::kWorkerWindowTasks, limits::kWorkerWindowBytes};
    if (random.chance(0.3))
      worker.window = {random.between(worker.slots * 2, 400), random.between(2'000, 100'000)};
    worker.functions = {"work"};
    if (i == 0 || random.chance(0.5)) worker.functions.push_back("rare");
    if (random.chance(0.3)) worker.starts_after = random.magnitude(1ms, 20s);
    plan.workers.push_back(worker);
  }
  plan.producers = static_cast<std::uint32_t>(random.between(1, 2));
  std::uint32_t ordinal = 0;
  for (std::uint32_t p = 0; p < plan.producers; ++p) {
    plan.reader_windows.push_back(random.chance(0.4) ? random.between(100, 20'000)
                                                     : limits::kGatherWindowBytes);
    for (std::uint64_t j = random.between(1, 2); j > 0; --j)
      plan.jobs.push_back(make_job(random, ordinal++, p, crashes));
  }
  plan_places(plan);
  plan_network(random, plan);
  plan.producer_window_tasks =
      random.chance(0.3) ? random.between(20, 2000) : limits::kProducerWindowTasks;
  plan.producer_window_bytes =
      random.chance(0.2) ? random.between(5'000, 100'000) : limits::kProducerWindowBytes;
  plan.results_cap = random.chance(0.25) ? random.between(1'000, 50'000) : limits::kResultsCap;

  Random deaths(mix(seed ^ 0xdead));
  Random others(mix(seed ^ 0x0b5e));
  for (JobPlan& job : plan.jobs)
    if (!job.options.forget_when_delivered && others.chance(0.5)) plan_pushers(others, job);

  double serial = 0;
  double feeding = 0;
  double retrying = 0;
  double pausing = 0;
  for (const JobPlan& job : plan.jobs) {
    // Where only some workers take it, it may be one slot.
    std::uint32_t own = 0;
    for (const WorkerPlan& worker : plan.workers)
      own = own == 0 ? worker.slots : std::min(own, worker.slots);
    const bool choosy =
        job.options.spec.function == "rare" || !job.options.where.empty() ||
        std::any_of(plan.workers.begin(), plan.workers.end(), [&](const WorkerPlan& w) {
          return w.signature != plan.workers.front().signature;
        });
    serial += serial_seconds(job) * (choosy ? 1.0 * slots / own : 1.0);
    if (job.pause_after) pausing = std::max(pausing, seconds(*job.pause_after + job.pause_lasts));
    const double chunks = static_cast<double>(job.tuples / job.chunk_tuples + 1);
    feeding = std::max(
        feeding, chunks * seconds(job.feed_pause) + static_cast<double>(job.closes_late_ms) / 1e3);
    retrying = std::max(retrying, 2.0 * (1 << job.options.retries));
  }
  plan_failures(plan);
  const double estimate = std::clamp(serial / slots + feeding, 0.05, 300.0);
  plan_observers(others, plan, estimate);
  plan_retries(plan);
  if (!random.chance(0.15)) plan_faults(random, plan, estimate);
  plan_deaths(deaths, plan, estimate);
  plan_disk(plan, estimate);
  nanoseconds horizon(static_cast<std::int64_t>(1e9 * estimate));
  for (const Fault& fault : plan.faults) horizon = std::max(horizon, fault.at + fault.lasts);
  plan.horizon = horizon;
  // A narrow window lets the next chunk come only when the slowest task of an earlier one has
  // ended.
  const bool narrow = plan.producer_window_tasks < limits::kProducerWindowTasks ||
                      plan.producer_window_bytes < limits::kProducerWindowBytes ||
                      plan.results_cap < limits::kResultsCap;
  plan.liveness = nanoseconds(static_cast<std::int64_t>(
      1e9 * (240 + 3 * serial / (narrow ? 1 : slots) + 2 * feeding + retrying + 2 * pausing)));
  for (const JobPlan& job : plan.jobs) {
    // A window of a few rows costs a round trip each; a reader who waits costs more.
    const nanoseconds round =
        4 * (plan.latency + plan.jitter + plan.turn_delay + plan.commit_max) + job.read_pause;
    plan.liveness += round * static_cast<std::int64_t>(job.tuples);
    // One at a time, each once it is committed that it was dealt.
    if (job.options.spec.at_most_once)
      plan.liveness += 2 * round * static_cast<std::int64_t>(job.tuples);
  }
  // Others say again what was lost, one after the other, and look more than once.
  for (const ObserverPlan& observer : plan.observers) {
    const std::uint64_t tuples = plan.jobs[observer.job].tuples;
    const nanoseconds round = 4 * (plan.latency + plan.jitter + plan.turn_delay + plan.commit_max);
    plan.liveness += (round + observer.read_pause) * static_cast<std::int64_t>(2 * tuples) +
                     observer.starts_after;
    for (const auto& [at, lasts] : observer.pauses) plan.liveness += at + lasts + 10s;
    const double again = serial_seconds(plan.jobs[observer.job]) + retrying + 60;
    plan.liveness += observer.rounds * nanoseconds(static_cast<std::int64_t>(1e9 * again));
  }
  // After each death of the broker some tasks wait for who may have them.
  for (const Fault& fault : plan.faults) {
    if (fault.kind == FaultKind::kKillBroker || fault.kind == FaultKind::kSyncFails)
      plan.liveness += 30s + fault.lasts;
    if (fault.kind == FaultKind::kDiskFull) plan.liveness += 10s + fault.lasts;
  }
  return plan;
}

std::string Plan::text() const {
  std::string all = fmt::format("seed {}: {} workers (slots", seed, workers.size());
  for (const WorkerPlan& worker : workers)
    all += fmt::format(" {}{}{}", worker.slots, worker.labels.empty() ? "" : " gpu=yes ",
                       worker.signature == "(...)" ? "" : "'" + worker.signature + "'");
  all += fmt::format(
      "), {} producers, latency {:.6f}+{:.6f} s, loss {}, repeat {}, reorder {}, garble {}, turn "
      "{:.6f} s, "
      "commit {:.6f}..{:.6f} s, horizon {:.3f} s\n",
      producers, seconds(latency), seconds(jitter), loss, repeat, reorder, garble,
      seconds(turn_delay), seconds(commit_min), seconds(commit_max), seconds(horizon));
  for (const JobPlan& job : jobs) {
    all += fmt::format(
        "  {} of producer {}: {} tuples of {:.6f}/{:.6f} s, function {}, {}{}{}, retries {}, crash "
        "limit {}, "
        "fail {}/{}, crash {}/{}, time limit {} ms{}\n",
        job.key, job.producer, job.tuples, seconds(job.usual), seconds(job.rare),
        job.options.spec.function, job.order == RowOrder::kInput ? "input order" : "as completed",
        job.options.forget_when_delivered ? ", forget" : "",
        job.options.rows_with_tuples ? ", with tuples" : "", job.options.retries, job.crash_limit(),
        job.fail_once, job.fail, job.crash_once, job.crash, job.options.spec.time_limit_ms,
        job.cancel_after ? ", cancelled" : "");
    all += fmt::format("    priority {}{}{}\n", job.options.priority,
                       job.options.where.empty() ? "" : ", where gpu=yes",
                       job.pause_after
                           ? fmt::format(", paused at {:.3f} s for {:.3f} s",
                                         seconds(*job.pause_after), seconds(job.pause_lasts))
                           : "");
  }
  for (const ObserverPlan& observer : observers) {
    all += fmt::format("  somebody {} job-{} after {:.3f} s",
                       observer.role == ObserverRole::kReads    ? "reads"
                       : observer.role == ObserverRole::kPushes ? "pushes to"
                                                                : "steers",
                       observer.job, seconds(observer.starts_after));
    if (observer.role == ObserverRole::kReads)
      all += fmt::format(", order {}, window {}{}", static_cast<int>(observer.order),
                         observer.window, observer.silent ? ", silent" : "");
    all += "\n";
  }
  return all;
}

}  // namespace fanmill::sim
