#include "broker/core/eligibility.hpp"

#include <algorithm>

#include "broker/core/mutation.hpp"

namespace fanmill::broker {
namespace {

bool fits(const Worker& worker, const Demand& demand) {
  const FunctionOffer* offer = worker.offer(demand.function);
  if (offer == nullptr) return false;
  const bool differs = !demand.signature.empty() && !offer->signature.empty() &&
                       offer->signature != demand.signature;
  if (differs && !mutated(Mutation::kIgnoreSignature)) return false;
  return has_labels(worker, demand.where) || mutated(Mutation::kIgnoreLabels);
}

// The oldest worker's signature of the function, of those that have the labels and one.
std::string signature_of(const World& world, const JobOptions& options) {
  const auto offering = world.offering.find(options.spec.function);
  if (offering == world.offering.end()) return {};
  for (const auto& [ordinal, worker] : offering->second) {
    const std::string& signature = worker->offer(options.spec.function)->signature;
    if (!signature.empty() && has_labels(*worker, options.where)) return signature;
  }
  return {};
}

std::string conflict(const FunctionOffer& offer, const FunctionOffer& other,
                     const std::string& name) {
  return "this worker offers '" + offer.name + "' as " + offer.signature + ", but " + name +
         ", which joined before, as " + other.signature +
         ": jobs that began with the one are not dealt to the other. Give all workers of a broker "
         "the same plugins";
}

void tell_conflicts(World& world, const Worker& worker) {
  for (const FunctionOffer& offer : worker.offers) {
    if (offer.signature.empty()) continue;
    for (const auto& [ordinal, elder] : world.offering[offer.name]) {
      if (elder == &worker) break;
      const FunctionOffer& other = *elder->offer(offer.name);
      if (other.signature.empty()) continue;
      if (other.signature != offer.signature)
        world.send_now(
            worker.peer, worker.session,
            ToWorker{Refused{{}, {}, ErrorCode::kConflict, conflict(offer, other, elder->label)}});
      break;
    }
  }
}

}  // namespace

bool has_labels(const Worker& worker, const std::vector<Label>& where) {
  return std::all_of(where.begin(), where.end(), [&worker](const Label& asked) {
    return std::find(worker.labels.begin(), worker.labels.end(), asked) != worker.labels.end();
  });
}

bool can_run(const Worker& worker, const Job& job) {
  return std::find(worker.lines.begin(), worker.lines.end(), job.line) != worker.lines.end();
}

namespace {

void join_line(World& world, Job& job) {
  Demand demand{job.options.spec.function, job.signature, job.options.where};
  std::sort(demand.where.begin(), demand.where.end());
  std::unique_ptr<Line>& line = world.lines[demand];
  if (!line) {
    line = std::make_unique<Line>();
    line->demand = std::move(demand);
    for (const auto& [session, worker] : world.workers) {
      if (!fits(*worker, line->demand)) continue;
      worker->lines.push_back(line.get());
      if (worker->listed) line->slots += worker->slots;
    }
    ++world.offers_changed;
  }
  ++line->jobs;
  job.line = line.get();
}

}  // namespace

void bind(World& world, Job& job) {
  job.signature = signature_of(world, job.options);
  join_line(world, job);
}

void bind_again(World& world, Job& job) { join_line(world, job); }

void bind_to(World& world, Job& job, const Worker& worker) {
  if (!job.signature.empty()) return;
  const std::string& signature = worker.offer(job.options.spec.function)->signature;
  if (signature.empty()) return;
  unbind(world, job);
  job.signature = signature;
  world.write_state(job);
  job.bound_write = world.writes;
  join_line(world, job);
}

void unbind(World& world, Job& job) {
  if (job.line == nullptr) return;
  Line& line = *job.line;
  if (job.waiting) line.waiting.erase({job.options.priority, job.placed, job.id, &job});
  job.waiting = false;
  job.line = nullptr;
  if (--line.jobs > 0) return;
  for (const auto& [session, worker] : world.workers)
    worker->lines.erase(std::remove(worker->lines.begin(), worker->lines.end(), &line),
                        worker->lines.end());
  ++world.offers_changed;
  world.lines.erase(Demand(line.demand));  // `line` is gone
}

void take_offers(World& world, Worker& worker) {
  for (const FunctionOffer& offer : worker.offers)
    world.offering[offer.name][worker.ordinal] = &worker;
  for (const auto& [demand, line] : world.lines)
    if (fits(worker, demand)) worker.lines.push_back(line.get());
  ++world.offers_changed;
  tell_conflicts(world, worker);
}

void forget_offers(World& world, Worker& worker) {
  for (const FunctionOffer& offer : worker.offers) {
    const auto offering = world.offering.find(offer.name);
    if (offering == world.offering.end()) continue;
    offering->second.erase(worker.ordinal);
    if (offering->second.empty()) world.offering.erase(offering);
  }
  ++world.offers_changed;
}

const std::vector<Line::Rival>& rivals_of(World& world, Line& line) {
  if (line.rivals_as_of == world.offers_changed) return line.rivals;
  line.rivals_as_of = world.offers_changed;
  line.rivals = {{&line, ~std::uint64_t{0}}};
  if (world.lines.size() == 1) return line.rivals;
  std::map<Line*, std::uint64_t> shared;
  for (const auto& [session, worker] : world.workers) {
    if (std::find(worker->lines.begin(), worker->lines.end(), &line) == worker->lines.end())
      continue;
    for (Line* other : worker->lines)
      if (other != &line) shared[other] += worker->slots;
  }
  for (const auto& [other, slots] : shared) line.rivals.push_back({other, slots});
  // Whoever is as good as another stands by what it asks for, not by where it lies in memory.
  std::sort(line.rivals.begin(), line.rivals.end(), [](const auto& a, const auto& b) {
    if (a.slots != b.slots) return a.slots > b.slots;
    return a.line->demand < b.line->demand;
  });
  return line.rivals;
}

}  // namespace fanmill::broker
