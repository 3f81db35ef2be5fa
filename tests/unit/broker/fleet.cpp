#include "tests/unit/broker/fleet.hpp"

#include <time.h>

#include <algorithm>
#include <utility>

namespace fanmill::broker {
namespace {

constexpr PeerId kProducer{1};
constexpr std::uint64_t kFirstWorker = 2;  // its peer
constexpr Credit kWindow{limits::kWorkerWindowTasks, limits::kWorkerWindowBytes};
constexpr nanoseconds kSubBatch = 1ms;

std::uint64_t cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

Fleet::Fleet(bool with_invariants, CoreConfig config)
    : with_invariants_(with_invariants), core_(std::move(config)) {
  to_core(MessageArrived{kProducer, {{}, FromProducer{ProducerHello{{1}, 1, "p", 1, "u"}}}, {}});
  take();
  run_for(1ms);
  due(1s, What::kProducerBeat);
}

template <class Call>
void Fleet::timed(Call call) {
  const std::uint64_t begin = cpu_ns();
  call();
  core_ns_ += cpu_ns() - begin;
}

void Fleet::due(nanoseconds after, What what, std::size_t worker, std::size_t slot,
                std::size_t message) {
  queue_.push({now_ + after, ++order_, what, worker, slot, message});
}

void Fleet::say(PeerId peer, SessionId session, std::variant<FromProducer, FromWorker> message,
                Blob blob) {
  std::size_t at = messages_.size();
  if (free_messages_.empty()) {
    messages_.emplace_back();
  } else {
    at = free_messages_.back();
    free_messages_.pop_back();
  }
  messages_[at].peer = peer;
  messages_[at].session = session;
  messages_[at].from = std::move(message);
  messages_[at].blob = std::move(blob);
  due(kLatency, What::kToBroker, 0, 0, at);
}

void Fleet::to_core(Event event) { events_.push_back(std::move(event)); }

void Fleet::take() {
  const std::vector<Event> events = std::exchange(events_, {});
  Duties duties;
  timed([&] {
    for (const Event& event : events) core_.step(event, now_);
    duties = core_.take_duties(now_);
  });
  if (with_invariants_ && ++turns_ % 64 == 0) core_.check_invariants();
  writes_ += duties.writes.size();
  if (duties.wake_at && *duties.wake_at < wake_at_) {
    wake_at_ = *duties.wake_at;
    due(std::max(nanoseconds(0), wake_at_ - now_), What::kWake);
  }
  const auto post = [this](Outgoing& out) {
    std::size_t at = messages_.size();
    if (free_messages_.empty()) {
      messages_.emplace_back();
    } else {
      at = free_messages_.back();
      free_messages_.pop_back();
    }
    messages_[at].peer = out.peer;
    messages_[at].session = out.session;
    messages_[at].to = std::move(out.message);
    due(kLatency, What::kToPeer, 0, 0, at);
  };
  for (Outgoing& out : duties.send_now) post(out);
  for (Outgoing& out : duties.send_after) post(out);
  if (!duties.writes.empty()) to_core(Durable{writes_});
}

std::size_t Fleet::add_worker(WorkerOptions options) {
  const std::size_t number = workers_.size();
  FakeWorker& worker = workers_.emplace_back();
  worker.peer = {kFirstWorker + number};
  worker.slots.resize(options.slots);
  WorkerHello hello;
  hello.instance = {1000 + number};
  hello.attempt = 1;
  hello.name = "w" + std::to_string(number);
  hello.host = hello.name;
  hello.slots = options.slots;
  hello.offers = std::move(options.offers);
  hello.labels = std::move(options.labels);
  hello.credit = kWindow;
  say(worker.peer, {}, FromWorker{std::move(hello)});
  due(2s * (number % 1000) / 1000 + 2s, What::kHeartbeat, number);
  return number;
}

std::size_t Fleet::add_job(const JobOptionsOf& options) {
  const std::size_t number = jobs_.size();
  jobs_.emplace_back().options = options;
  JobOptions wanted;
  wanted.spec.function = options.function;
  wanted.priority = options.priority;
  wanted.where = options.where;
  wanted.forget_when_delivered = true;
  wanted.wait_workers_ms = 3'600'000;
  say(kProducer, producer_, FromProducer{OpenJob{"job-" + std::to_string(number), wanted}});
  return number;
}

void Fleet::steer(std::size_t job, Steering action) {
  say(kProducer, producer_, FromProducer{Steer{1, {jobs_[job].id}, action, 0}});
}

void Fleet::cancel(std::size_t job, std::uint64_t grace_ms) {
  say(kProducer, producer_, FromProducer{CancelJob{jobs_[job].id, grace_ms}});
}

void Fleet::run_for(nanoseconds time) {
  run_until([] { return false; }, time);
}

void Fleet::run_until(const std::function<bool()>& done, nanoseconds longest) {
  const MonoTime end = now_ + longest;
  while (!done()) {
    if (queue_.empty() || queue_.top().at > end) {
      now_ = end;
      return;
    }
    // One turn of the loop: everything that comes within the time that a turn takes.
    now_ = queue_.top().at;
    const MonoTime turn_ends = now_ + 20us;
    while (!queue_.empty() && queue_.top().at <= turn_ends) {
      const Due one = queue_.top();
      queue_.pop();
      now_ = std::max(now_, one.at);
      serve(one);
    }
    while (!events_.empty()) take();
  }
}

void Fleet::serve(const Due& one) {
  switch (one.what) {
    case What::kSlotEnds:
      slot_ends(one.worker, one.slot);
      break;
    case What::kToBroker: {
      Message message = std::move(messages_[one.message]);
      free_messages_.push_back(one.message);
      if (auto* from = std::get_if<FromProducer>(&message.from)) {
        to_core(MessageArrived{message.peer, {message.session, std::move(*from)}, message.blob});
      } else {
        to_core(MessageArrived{
            message.peer, {message.session, std::get<FromWorker>(message.from)}, message.blob});
      }
      break;
    }
    case What::kToPeer: {
      const Message message = std::move(messages_[one.message]);
      free_messages_.push_back(one.message);
      if (const auto* to = std::get_if<ToWorker>(&message.to)) {
        hear(message.peer.value - kFirstWorker, *to, message.session);
      } else {
        hear(std::get<ToProducer>(message.to), message.session);
      }
      break;
    }
    case What::kHeartbeat:
      heartbeat(one.worker);
      due(2s, What::kHeartbeat, one.worker);
      break;
    case What::kProducerBeat:
      say(kProducer, producer_, FromProducer{ProducerHeartbeat{}});
      due(2s, What::kProducerBeat);
      break;
    case What::kWake:
      wake_at_ = MonoTime::max();
      to_core(Tick{});
      break;
  }
}

Credit Fleet::credit(const FakeWorker& worker) const {
  return {kWindow.tasks + worker.settled_tasks, kWindow.bytes + worker.settled_bytes};
}

Fleet::FakeJob* Fleet::find(JobId id) {
  const auto it = numbers_.find(id);
  return it == numbers_.end() ? nullptr : &jobs_[it->second];
}

void Fleet::hear(std::size_t number, const ToWorker& message, SessionId session) {
  FakeWorker& worker = workers_[number];
  if (std::holds_alternative<WorkerWelcome>(message)) {
    worker.session = session;
  } else if (const auto* lease = std::get_if<Lease>(&message)) {
    ++leases_;
    worker.leases_seen = lease->lease;
    worker.held[lease->token.counter] = lease->count;
    worker.digest ^= digest_of(lease->token);
    worker.queue.push_back({lease->token, numbers_.at(lease->job), {lease->first, lease->count}});
    begin(number);
  } else if (const auto* recall = std::get_if<Recall>(&message)) {
    ++recalls_;
    give_back(number, *recall);
  } else if (const auto* stop = std::get_if<StopJob>(&message)) {
    give_back(number, Recall{0, stop->job, ~std::uint64_t{0}});
  } else if (const auto* refused = std::get_if<Refused>(&message)) {
    worker.told.push_back(refused->message);
  }
}

void Fleet::hear(const ToProducer& message, SessionId session) {
  if (std::holds_alternative<ProducerWelcome>(message)) {
    producer_ = session;
    return;
  }
  if (const auto* opened = std::get_if<JobOpened>(&message)) {
    const std::size_t number = std::stoul(opened->key.substr(4));
    FakeJob& job = jobs_[number];
    job.id = opened->job;
    job.opened = true;
    job.credit = opened->credit.tasks;
    numbers_[job.id] = number;
    say(kProducer, producer_,
        FromProducer{Gather{job.id, RowOrder::kAsCompleted, 0, limits::kGatherWindowBytes}});
    submit(job);
  } else if (const auto* accepted = std::get_if<Accepted>(&message)) {
    FakeJob* job = find(accepted->job);
    if (job == nullptr) return;
    job->credit = std::max(job->credit, accepted->credit.tasks);
    submit(*job);
  } else if (const auto* rows = std::get_if<Rows>(&message)) {
    FakeJob* job = find(rows->job);
    if (job == nullptr) return;
    job->done += rows->count;
    job->cursor = rows->next;
    if (job->cursor - job->acked < 64 && job->done < job->options.tasks) return;
    job->acked = job->cursor;
    say(kProducer, producer_, FromProducer{GatherAck{job->id, job->cursor}});
  }
}

void Fleet::submit(FakeJob& job) {
  while (job.submitted < job.options.tasks && job.submitted < job.credit) {
    const std::uint64_t count = std::min<std::uint64_t>(
        {limits::kChunkTuplesMax, job.options.tasks - job.submitted, job.credit - job.submitted});
    Submit submit{job.id, {job.submitted}, count, {}};
    for (std::uint64_t at = 0; at < count; at += limits::kBlockTuplesMax) {
      const auto tuples =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(limits::kBlockTuplesMax, count - at));
      submit.blocks.push_back({tuples, tuples});
    }
    say(kProducer, producer_, FromProducer{std::move(submit)}, Blob::from(std::string(count, 't')));
    job.submitted += count;
  }
  if (job.closed || job.submitted < job.options.tasks) return;
  job.closed = true;
  say(kProducer, producer_, FromProducer{CloseJob{job.id, job.submitted}});
}

void Fleet::begin(std::size_t number) {
  FakeWorker& worker = workers_[number];
  for (std::size_t i = 0; i < worker.slots.size() && !worker.queue.empty(); ++i) {
    Slot& slot = worker.slots[i];
    if (slot.busy) continue;
    Piece& front = worker.queue.front();
    const nanoseconds each = jobs_[front.job].options.each;
    const auto most = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(kSubBatch.count() / std::max<std::int64_t>(1, each.count())));
    const std::uint64_t count = std::min(most, front.tasks.count);
    slot.busy = true;
    slot.piece = {front.token, front.job, {front.tasks.first, count}};
    slot.began = now_;
    slot.ends = now_ + each * static_cast<std::int64_t>(count);
    jobs_[front.job].begun += count;
    front.tasks = {front.tasks.first + count, front.tasks.count - count};
    if (front.tasks.empty()) worker.queue.pop_front();
    due(slot.ends - now_, What::kSlotEnds, number, i);
  }
}

void Fleet::settle(FakeWorker& worker, AttemptToken token, std::uint64_t tasks) {
  worker.settled_tasks += tasks;
  worker.settled_bytes += tasks;
  const auto held = worker.held.find(token.counter);
  held->second -= tasks;
  if (held->second > 0) return;
  worker.held.erase(held);
  worker.digest ^= digest_of(token);
}

void Fleet::slot_ends(std::size_t number, std::size_t index) {
  FakeWorker& worker = workers_[number];
  Slot& slot = worker.slots[index];
  slot.busy = false;
  FakeJob& job = jobs_[slot.piece.job];
  job.used_ns += static_cast<double>((slot.ends - slot.began).count());
  settle(worker, slot.piece.token, slot.piece.tasks.count);
  Results results;
  results.report = ++worker.reports;
  results.job = job.id;
  results.token = slot.piece.token;
  results.first = slot.piece.tasks.first;
  results.count = slot.piece.tasks.count;
  results.values_bytes = slot.piece.tasks.count;
  results.run_ns = static_cast<std::uint64_t>((slot.ends - slot.began).count());
  results.credit = credit(worker);
  say(worker.peer, worker.session, FromWorker{results},
      Blob::from(std::string(slot.piece.tasks.count, 'v')));
  begin(number);
}

void Fleet::give_back(std::size_t number, const Recall& recall) {
  FakeWorker& worker = workers_[number];
  std::uint64_t left = recall.count;
  bool any = false;
  for (std::size_t i = worker.queue.size(); i-- > 0 && left > 0;) {
    Piece& piece = worker.queue[i];
    if (recall.job != JobId{} && jobs_[piece.job].id != recall.job) continue;
    const std::uint64_t some = std::min(left, piece.tasks.count);
    piece.tasks.count -= some;
    left -= some;
    any = true;
    settle(worker, piece.token, some);
    Returned returned;
    returned.report = ++worker.reports;
    returned.job = jobs_[piece.job].id;
    returned.token = piece.token;
    returned.ranges = {{piece.tasks.end(), some}};
    returned.recall = recall.recall;
    returned.credit = credit(worker);
    say(worker.peer, worker.session, FromWorker{returned});
    if (piece.tasks.empty())
      worker.queue.erase(worker.queue.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (any || recall.recall == 0) return;
  Returned returned;
  returned.report = ++worker.reports;
  returned.job = recall.job;
  returned.recall = recall.recall;
  returned.credit = credit(worker);
  say(worker.peer, worker.session, FromWorker{returned});
}

void Fleet::heartbeat(std::size_t number) {
  FakeWorker& worker = workers_[number];
  WorkerHeartbeat beat;
  beat.credit = credit(worker);
  beat.leases_seen = worker.leases_seen;
  beat.reports_sent = worker.reports;
  beat.held_count = worker.held.size();
  beat.held_digest = worker.digest;
  for (const Slot& slot : worker.slots)
    if (slot.busy)
      beat.running.push_back({jobs_[slot.piece.job].id, slot.piece.token, slot.piece.tasks.first});
  say(worker.peer, worker.session, FromWorker{std::move(beat)});
}

double Fleet::used_s(std::size_t job) const {
  double ns = jobs_[job].used_ns;
  for (const FakeWorker& worker : workers_)
    for (const Slot& slot : worker.slots)
      if (slot.busy && slot.piece.job == job)
        ns += static_cast<double>((now_ - slot.began).count());
  return ns / 1e9;
}

std::uint64_t Fleet::at_workers(std::size_t job) const {
  std::uint64_t tasks = 0;
  for (const FakeWorker& worker : workers_)
    for (const Piece& piece : worker.queue)
      if (piece.job == job) tasks += piece.tasks.count;
  return tasks;
}

std::uint32_t Fleet::running(std::size_t job) const {
  std::uint32_t slots = 0;
  for (const FakeWorker& worker : workers_)
    for (const Slot& slot : worker.slots)
      if (slot.busy && slot.piece.job == job) ++slots;
  return slots;
}

}  // namespace fanmill::broker
