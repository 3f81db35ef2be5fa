#include "tests/unit/broker/stage.hpp"

#include <algorithm>

#include "tests/unit/broker/duty_text.hpp"

namespace fanmill::broker {

JobOptions kept_job() {
  JobOptions options;
  options.spec.function = "f";
  return options;
}

JobOptions map_job() {
  JobOptions options;
  options.spec.function = "f";
  options.forget_when_delivered = true;
  return options;
}

namespace {
CoreConfig with_delay(CoreConfig config, nanoseconds ack_delay) {
  config.ack_delay = ack_delay;
  return config;
}
}  // namespace

Stage::Stage(CoreConfig config, nanoseconds ack_delay)
    : config_(with_delay(std::move(config), ack_delay)), core_(config_) {}

void Stage::step(Event event) {
  core_.step(event, now_);
  core_.check_invariants();
  collect();
}

void Stage::collect() {
  Duties duties = core_.take_duties(now_);
  core_.check_invariants();
  wake_at_ = duties.wake_at;
  news_.insert(news_.end(), duties.news.begin(), duties.news.end());
  for (const StoreWrite& write : duties.writes) {
    ++writes_;
    uncommitted_.push_back(write);
    lines_.push_back("write " + text_of(write));
  }
  for (const Outgoing& out : duties.send_now) deliver(out, "now");
  for (const Outgoing& out : duties.send_after) deliver(out, "after");
  if (!duties.writes.empty() && commits_at_once) commit();
}

void Stage::commit() {
  for (const StoreWrite& write : std::exchange(uncommitted_, {})) written_.apply(write);
  step(Durable{writes_});
}

void Stage::restart(std::optional<Life> on_a_copy) {
  uncommitted_.clear();
  lines_.clear();
  Recovered recovered = written_.recovered(lives_);
  if (on_a_copy) {
    recovered.life = *on_a_copy;
    recovered.lives.clear();
  }
  config_.life = recovered.life;
  lives_.push_back(recovered.life);
  core_ = Core(config_);
  writes_ = 0;
  const auto restored = core_.restore(std::move(recovered), now_);
  FANMILL_ASSERT(restored.has_value());
  core_.check_invariants();
  collect();
  skip();
}

void Stage::deliver(const Outgoing& out, const char* when) {
  const std::string to = name_of(out.peer);
  if (const auto* message = std::get_if<ToProducer>(&out.message)) {
    lines_.push_back(std::string(when) + " " + to + ": " + text_of(*message));
    if (std::holds_alternative<Answer>(*message)) answer_ = std::get<Blob>(out.blob);
    if (const auto* opened = std::get_if<JobOpened>(message))
      tuples_digest_ = opened->tuples_digest;
    const auto it = producers_.find(to);
    if (it != producers_.end() && std::holds_alternative<ProducerWelcome>(*message))
      it->second.session = out.session;
    return;
  }
  const auto& message = std::get<ToWorker>(out.message);
  lines_.push_back(std::string(when) + " " + to + ": " + text_of(message));
  const auto it = workers_.find(to);
  if (it == workers_.end() || it->second.peer != out.peer) return;
  FakeWorker& fake = it->second;
  if (std::holds_alternative<WorkerWelcome>(message)) fake.session = out.session;
  if (const auto* lease = std::get_if<Lease>(&message)) {
    fake.held[lease->token.counter] = *lease;
    fake.unfinished[lease->token.counter] = lease->count;
    fake.leases_seen = std::max(fake.leases_seen, lease->lease);
  }
  if (const auto* recall = std::get_if<Recall>(&message)) fake.recall = recall->recall;
}

std::string Stage::name_of(PeerId peer) const {
  const auto it = names_.find(peer);
  return it == names_.end() ? "stranger" : it->second;
}

void Stage::pass(nanoseconds time) {
  const MonoTime end = now_ + time;
  while (wake_at_ && *wake_at_ <= end) {
    now_ = std::max(now_, *wake_at_);
    step(Tick{});
  }
  now_ = end;
  step(Tick{});
}

void Stage::pause(nanoseconds time) {
  now_ += time;
  step(Paused{time});
}

FakeWorker& Stage::add_worker(const std::string& name, std::uint32_t slots,
                              const std::vector<std::string>& functions, Credit credit) {
  FakeWorker& fake = workers_[name];
  fake.peer = {++peers_};
  names_[fake.peer] = name;
  fake.credit = credit;
  fake.hello = {{peers_}, 1, name, name, 1, slots, {}, credit, {}};
  for (const std::string& function : functions) fake.hello.offers.push_back({function, "()"});
  step(MessageArrived{fake.peer, {{}, FromWorker{fake.hello}}, {}});
  return fake;
}

void Stage::reconnect(const std::string& name, const std::vector<std::uint64_t>& tokens) {
  FakeWorker& fake = workers_.at(name);
  fake.peer = {++peers_};
  names_[fake.peer] = name;
  ++fake.hello.attempt;
  fake.hello.claims.clear();
  std::map<std::uint64_t, Lease> kept;
  for (const std::uint64_t token : tokens) {
    const Lease& lease = fake.held.at(token);
    fake.hello.claims.push_back({lease.job, lease.token, {{lease.first, lease.count}}});
    kept[token] = lease;
  }
  fake.held = std::move(kept);
  fake.reports = fake.leases_seen = 0;
  step(MessageArrived{fake.peer, {{}, FromWorker{fake.hello}}, {}});
}

void Stage::results(const std::string& name, std::uint64_t token, std::uint64_t first,
                    std::uint64_t count, Outcome outcome, nanoseconds per_task, std::uint64_t bytes,
                    std::uint64_t report) {
  FakeWorker& fake = workers_.at(name);
  Results results;
  results.report = report == 0 ? ++fake.reports : report;
  results.job = job_id(1);
  const auto held = fake.held.find(token);
  if (held != fake.held.end()) {
    results.job = held->second.job;
    std::uint64_t& left = fake.unfinished[token];
    left -= std::min(left, count);
    if (left == 0) fake.held.erase(held);
  }
  results.token = {1, token};
  results.first = {first};
  results.count = count;
  results.outcome = outcome;
  results.values_bytes = outcome == Outcome::kSucceeded ? bytes : 0;
  results.run_ns = static_cast<std::uint64_t>(per_task.count()) * count;
  results.credit = fake.credit;
  step(MessageArrived{
      fake.peer, {fake.session, FromWorker{results}}, Blob::from(std::string(bytes, 'v'))});
}

void Stage::returned(const std::string& name, std::uint64_t token, std::vector<IndexRange> ranges,
                     std::uint32_t recall) {
  FakeWorker& fake = workers_.at(name);
  Returned back;
  back.report = ++fake.reports;
  back.job = job_id(1);
  const auto held = fake.held.find(token);
  if (held != fake.held.end()) {
    back.job = held->second.job;
    for (const IndexRange& range : ranges) fake.unfinished[token] -= range.count;
    if (fake.unfinished[token] == 0) fake.held.erase(held);
  }
  back.token = {1, token};
  back.ranges = std::move(ranges);
  back.recall = recall;
  back.credit = fake.credit;
  step(MessageArrived{fake.peer, {fake.session, FromWorker{back}}, {}});
}

void Stage::heartbeat(const std::string& name, bool with_list) {
  FakeWorker& fake = workers_.at(name);
  WorkerHeartbeat beat;
  beat.credit = fake.credit;
  beat.leases_seen = fake.leases_seen;
  beat.reports_sent = fake.reports;
  beat.held_count = fake.held.size();
  beat.list_attached = with_list;
  for (const auto& [token, lease] : fake.held) {
    beat.held_digest ^= digest_of(lease.token);
    if (with_list) beat.held.push_back(lease.token);
  }
  beat.running = fake.running;
  step(MessageArrived{fake.peer, {fake.session, FromWorker{beat}}, {}});
}

void Stage::lose_lease(const std::string& name, std::uint64_t token) {
  workers_.at(name).held.erase(token);
}

FakeProducer& Stage::add_producer(const std::string& name) {
  FakeProducer& fake = producers_[name];
  if (!fake.peer.value) fake.hello.instance = {1000 + peers_};
  fake.peer = {++peers_};
  names_[fake.peer] = name;
  fake.hello.user = name;
  fake.hello.host = "h";
  fake.hello.pid = 1;
  ++fake.hello.attempt;
  step(MessageArrived{fake.peer, {{}, FromProducer{fake.hello}}, {}});
  return fake;
}

void Stage::open(const std::string& name, const std::string& key, JobOptions options) {
  const FakeProducer& fake = producers_.at(name);
  step(MessageArrived{
      fake.peer, {fake.session, FromProducer{OpenJob{key, std::move(options)}}}, {}});
}

void Stage::submit(const std::string& name, std::uint64_t job, std::uint64_t first,
                   std::uint64_t count, std::uint64_t tuple_bytes) {
  const FakeProducer& fake = producers_.at(name);
  Submit submit{job_id(job), {first}, count, {}};
  for (std::uint64_t at = 0; at < count; at += limits::kBlockTuplesMax) {
    const auto tuples = std::min<std::uint64_t>(limits::kBlockTuplesMax, count - at);
    submit.blocks.push_back(
        {static_cast<std::uint32_t>(tuples), static_cast<std::uint32_t>(tuples * tuple_bytes)});
  }
  step(MessageArrived{fake.peer,
                      {fake.session, FromProducer{submit}},
                      Blob::from(std::string(count * tuple_bytes, 't'))});
}

void Stage::close(const std::string& name, std::uint64_t job, std::uint64_t total) {
  const FakeProducer& fake = producers_.at(name);
  step(MessageArrived{fake.peer, {fake.session, FromProducer{CloseJob{job_id(job), total}}}, {}});
}

void Stage::cancel(const std::string& name, std::uint64_t job, std::uint64_t grace_ms) {
  const FakeProducer& fake = producers_.at(name);
  step(MessageArrived{
      fake.peer, {fake.session, FromProducer{CancelJob{job_id(job), grace_ms}}}, {}});
}

void Stage::gather(const std::string& name, std::uint64_t job, std::uint64_t cursor, RowOrder order,
                   std::uint64_t window) {
  const FakeProducer& fake = producers_.at(name);
  step(MessageArrived{
      fake.peer, {fake.session, FromProducer{Gather{job_id(job), order, cursor, window}}}, {}});
}

void Stage::ack(const std::string& name, std::uint64_t job, std::uint64_t cursor) {
  const FakeProducer& fake = producers_.at(name);
  step(MessageArrived{fake.peer, {fake.session, FromProducer{GatherAck{job_id(job), cursor}}}, {}});
}

void Stage::push(const std::string& name, std::uint64_t job, const std::string& key,
                 std::uint64_t sequence, std::uint64_t count, std::uint64_t tuple_bytes) {
  const FakeProducer& fake = producers_.at(name);
  Push push{job_id(job), key, sequence, count, {}};
  for (std::uint64_t at = 0; at < count; at += limits::kBlockTuplesMax) {
    const auto tuples = std::min<std::uint64_t>(limits::kBlockTuplesMax, count - at);
    push.blocks.push_back(
        {static_cast<std::uint32_t>(tuples), static_cast<std::uint32_t>(tuples * tuple_bytes)});
  }
  step(MessageArrived{fake.peer,
                      {fake.session, FromProducer{push}},
                      Blob::from(std::string(count * tuple_bytes, 't'))});
}

void Stage::ask(const std::string& name, Topic topic, const std::string& selector) {
  const FakeProducer& fake = producers_.at(name);
  step(MessageArrived{
      fake.peer, {fake.session, FromProducer{Ask{++requests_, topic, selector}}}, {}});
}

void Stage::steer(const std::string& name, Steering action, const std::vector<std::uint64_t>& jobs,
                  std::uint64_t grace_ms, std::uint32_t outcomes) {
  const FakeProducer& fake = producers_.at(name);
  Steer steer{++requests_, {}, action, grace_ms, outcomes};
  for (const std::uint64_t job : jobs) steer.jobs.push_back(job_id(job));
  step(MessageArrived{fake.peer, {fake.session, FromProducer{steer}}, {}});
}

void Stage::goodbye(const std::string& name) {
  if (workers_.count(name) > 0) {
    const FakeWorker& fake = workers_.at(name);
    step(MessageArrived{fake.peer, {fake.session, FromWorker{Goodbye{}}}, {}});
  } else {
    const FakeProducer& fake = producers_.at(name);
    step(MessageArrived{fake.peer, {fake.session, FromProducer{Goodbye{}}}, {}});
  }
}

void Stage::gone(const std::string& name) {
  step(PeerGone{workers_.count(name) > 0 ? workers_.at(name).peer : producers_.at(name).peer});
}

void Stage::strange(const FromWorker& message, std::uint64_t session) {
  step(MessageArrived{{999}, {{session}, message}, {}});
}

std::vector<std::string> Stage::take() { return std::exchange(lines_, {}); }

std::vector<std::string> Stage::take(const std::vector<std::string>& kinds) {
  std::vector<std::string> chosen;
  for (std::string& line : std::exchange(lines_, {})) {
    // "write KIND …", "now NAME: KIND …"
    const std::size_t colon = line.find(": ");
    const std::size_t at =
        line.rfind("write ", 0) == 0 ? 6 : (colon == std::string::npos ? 0 : colon + 2);
    const std::string kind = line.substr(at, line.find(' ', at) - at);
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end())
      chosen.push_back(std::move(line));
  }
  return chosen;
}

}  // namespace fanmill::broker
