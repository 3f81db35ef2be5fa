#include "broker/core/report.hpp"

#include <algorithm>
#include <cmath>
#include <msgpack/pack.hpp>
#include <numeric>
#include <string_view>

#include "broker/core/explain.hpp"
#include "proto/job_id.hpp"
#include "proto/limits.hpp"

namespace fanmill::broker {
namespace {

struct Sink {
  std::string& out;
  void write(const char* data, std::size_t size) { out.append(data, size); }
};

// A document as it is written: a map says first how many entries it has.
class Document {
 public:
  explicit Document(std::string& out) : sink_{out}, packer_(sink_) {}

  void map(std::size_t entries) { packer_.pack_map(static_cast<std::uint32_t>(entries)); }
  void array(std::size_t elements) { packer_.pack_array(static_cast<std::uint32_t>(elements)); }
  Document& key(std::string_view name) {
    text(name);
    return *this;
  }
  void text(std::string_view text) {
    packer_.pack_str(static_cast<std::uint32_t>(text.size()));
    packer_.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
  }
  void number(std::uint64_t value) { packer_.pack_uint64(value); }
  void integer(std::int64_t value) { packer_.pack_int64(value); }
  void real(double value) { packer_.pack_double(value); }
  void truth(bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
  void nil() { packer_.pack_nil(); }
  void ms(nanoseconds time) {
    integer(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  }
  void texts(const std::vector<std::string>& all) {
    array(all.size());
    for (const std::string& one : all) text(one);
  }
  void labels(const std::vector<Label>& all) {
    map(all.size());
    for (const Label& label : all) key(label.name).text(label.value);
  }

 private:
  Sink sink_;
  msgpack::packer<Sink> packer_;
};

// ---- jobs ----

const char* state_of(const Job& job) {
  if (!job.halted.empty()) return "halted";
  if (job.cancelled) return "cancelled";
  if (job.all_done()) return job.counts.failed + job.counts.dead_lettered > 0 ? "failed" : "done";
  if (job.stands_still()) return "paused";
  if (job.leased > 0) return "running";
  if (!job.closed && !job.has_work() && job.delayed.empty()) return "open";
  return "waiting";
}

void put_counts(Document& to, const JobCounts& counts) {
  to.map(7);
  to.key("accepted").number(counts.accepted);
  to.key("waiting").number(counts.accepted - counts.running - counts.terminal());
  to.key("running").number(counts.running);
  to.key("succeeded").number(counts.succeeded);
  to.key("failed").number(counts.failed);
  to.key("dead_lettered").number(counts.dead_lettered);
  to.key("cancelled").number(counts.cancelled);
}

void put_workers_of(Document& to, const World& world, const Job& job) {
  std::vector<std::pair<const Worker*, std::uint64_t>> at;
  for (const auto& [session, worker] : world.workers)
    for (const Share& share : worker->shares)
      if (share.job == job.id && share.leased > 0) at.emplace_back(worker.get(), share.leased);
  std::sort(at.begin(), at.end(),
            [](const auto& a, const auto& b) { return a.first->ordinal < b.first->ordinal; });
  to.array(at.size());
  for (const auto& [worker, leased] : at) {
    to.map(4);
    to.key("name").text(worker->name);
    to.key("host").text(worker->host);
    to.key("slots").number(worker->slots);
    to.key("leased").number(leased);
  }
}

const char* text_of(RowOrder order) {
  switch (order) {
    case RowOrder::kInput:
      return "input";
    case RowOrder::kAsCompleted:
      return "completed";
    case RowOrder::kRecorded:
      return "recorded";
    case RowOrder::kFailures:
      return "failures";
  }
  return "";
}

// Tasks with a row that the reader has not acknowledged.
std::uint64_t behind(const Job& job, const Reader& reader) {
  const std::uint64_t from = reader.acknowledged;
  if (reader.order != RowOrder::kAsCompleted) {
    if (from >= job.next_index) return 0;
    return job.done.count({TaskIndex{from}, job.next_index - from});
  }
  if (from >= job.log_start + job.log.size()) return 0;
  const auto begin =
      job.log.begin() + static_cast<std::ptrdiff_t>(std::max(from, job.log_start) - job.log_start);
  return std::accumulate(
      begin, job.log.end(), std::uint64_t{0},
      [](std::uint64_t sum, const Slice& slice) { return sum + slice.range.count; });
}

void put_readers(Document& to, const World& world, const Job& job) {
  to.array(job.readers.size());
  for (const auto& [session, reader] : job.readers) {
    const auto producer = world.producers.find(session);
    to.map(4);
    to.key("who").text(producer == world.producers.end() ? "" : producer->second->who());
    to.key("order").text(text_of(reader.order));
    to.key("cursor").number(reader.acknowledged);
    to.key("behind").number(behind(job, reader));
  }
}

void put_job(Document& to, const World& world, const Job& job, bool at_length) {
  constexpr std::size_t kKeys = 24;
  constexpr std::size_t kMoreKeys = 3;
  const JobOptions& options = job.options;
  const JobCounts counts = job.counted();
  const double rate = job.recorded.per_second(world.now);
  const auto owner = world.producers.find(job.owner);
  const std::uint64_t kept_default = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(limits::kKeepDefault).count());
  to.map(at_length ? kKeys + kMoreKeys : kKeys);
  to.key("id").text(to_text(job.id));
  to.key("name").text(options.name);
  to.key("key").text(job.key);
  to.key("function").text(options.spec.function);
  to.key("command").texts(options.spec.argv);
  to.key("names").texts(options.spec.names);
  to.key("state").text(state_of(job));
  to.key("reason").text(reason_of(world, job));
  to.key("halted").text(job.halted);
  to.key("rounds").number(job.rounds + 1);
  to.key("priority").integer(options.priority);
  to.key("where").labels(options.where);
  to.key("age_ms").ms(world.now - job.opened_at);
  to.key("ended_ms");
  job.ended_at ? to.ms(world.now - *job.ended_at) : to.nil();
  to.key("closed").truth(job.closed);
  to.key("kept").truth(!options.forget_when_delivered);
  to.key("keep_ms").number(options.keep_ms == 0 ? kept_default : options.keep_ms);
  to.key("counts");
  put_counts(to, counts);
  to.key("rate").real(rate);
  to.key("mean_ns").number(job.measured ? static_cast<std::uint64_t>(job.mean_ns) : 0);
  to.key("eta_ms");
  if (job.closed && !job.all_done() && rate > 0) {
    const auto left = static_cast<double>(counts.accepted - counts.terminal());
    to.number(static_cast<std::uint64_t>(std::ceil(left / rate * 1e3)));
  } else {
    to.nil();
  }
  to.key("producer").text(owner == world.producers.end() ? "" : owner->second->who());
  to.key("tuple_bytes").number(job.held_bytes);
  to.key("result_bytes").number(job.unacknowledged_bytes);
  if (!at_length) return;
  to.key("signature").text(job.signature);
  to.key("workers");
  put_workers_of(to, world, job);
  to.key("readers");
  put_readers(to, world, job);
}

// ---- workers ----

const char* state_of(const Worker& worker) {
  return worker.gone ? "away" : worker.draining ? "draining" : "active";
}

std::uint64_t busy_slots(const Worker& worker) {
  return std::min<std::uint64_t>(worker.slots, worker.leased_tasks);
}

void put_worker(Document& to, const World& world, const Worker& worker) {
  to.map(14);
  to.key("name").text(worker.name);
  to.key("host").text(worker.host);
  to.key("pid").number(worker.pid);
  to.key("version").text(worker.version);
  to.key("slots").number(worker.slots);
  to.key("busy").number(busy_slots(worker));
  to.key("leased").number(worker.leased_tasks);
  to.key("labels").labels(worker.labels);
  to.key("functions").array(worker.offers.size());
  for (const FunctionOffer& offer : worker.offers) {
    to.map(2);
    to.key("name").text(offer.name);
    to.key("signature").text(offer.signature);
  }
  to.key("state").text(state_of(worker));
  to.key("age_ms").ms(world.now - worker.joined);
  to.key("heard_ms").ms(world.now - worker.heard);
  to.key("done").number(worker.recorded);
  to.key("rate").real(worker.recorded_rate.per_second(world.now));
}

}  // namespace

std::string report_jobs(const World& world, const std::vector<const Job*>& jobs, bool at_length) {
  std::string out;
  Document to(out);
  to.array(jobs.size());
  for (const Job* job : jobs) put_job(to, world, *job, at_length);
  return out;
}

std::string report_workers(const World& world) {
  std::vector<const Worker*> workers;
  for (const auto& [session, worker] : world.workers) workers.push_back(worker.get());
  std::sort(workers.begin(), workers.end(),
            [](const Worker* a, const Worker* b) { return a->ordinal < b->ordinal; });
  std::string out;
  Document to(out);
  to.array(workers.size());
  for (const Worker* worker : workers) put_worker(to, world, *worker);
  return out;
}

std::string report_status(const World& world) {
  std::uint64_t slots = 0;
  std::uint64_t busy = 0;
  for (const auto& [session, worker] : world.workers) {
    slots += worker->slots;
    busy += busy_slots(*worker);
  }
  std::uint64_t waiting = 0;
  std::uint64_t leased = 0;
  std::uint64_t unread = 0;
  std::uint64_t readers = 0;
  for (const auto& [id, job] : world.jobs) {
    const JobCounts counts = job->counted();
    waiting += counts.accepted - counts.running - counts.terminal();
    leased += job->leased;
    unread += job->unacknowledged_bytes;
    readers += job->readers.size();
  }
  std::string out;
  Document to(out);
  to.map(15);
  to.key("schema").number(1);
  to.key("version").text(world.config.version);
  to.key("protocol").number(kProtocolVersion);
  to.key("durability").text(world.config.durability);
  to.key("full").truth(world.full);
  to.key("addresses").texts(world.config.addresses);
  to.key("age_ms").ms(world.now - world.began.value_or(world.now));
  to.key("workers").number(world.workers.size());
  to.key("slots").number(slots);
  to.key("busy").number(busy);
  to.key("producers").number(world.producers.size());
  to.key("ventilator").map(5);
  to.key("jobs").number(world.active.size());
  to.key("waiting").number(waiting);
  to.key("leased").number(leased);
  to.key("rate").real(world.dealt_rate.per_second(world.now));
  to.key("recalled").number(world.recalled);
  to.key("sink").map(5);
  to.key("recorded").number(world.recorded);
  to.key("rate").real(world.recorded_rate.per_second(world.now));
  to.key("stale").number(world.stale_results);
  to.key("unread_bytes").number(unread);
  to.key("readers").number(readers);
  to.key("expired_leases").number(world.expired_leases);
  to.key("malformed").number(world.malformed);
  return out;
}

}  // namespace fanmill::broker
