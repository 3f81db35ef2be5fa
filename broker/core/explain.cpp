#include "broker/core/explain.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "broker/core/eligibility.hpp"
#include "broker/core/fair_shares.hpp"
#include "broker/core/suggest.hpp"
#include "broker/core/ventilator.hpp"
#include "proto/job_id.hpp"

namespace fanmill::broker {
namespace {

std::string counted(std::uint64_t count, const char* one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string within(nanoseconds time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return ms < 10'000 ? std::to_string(std::max<std::int64_t>(ms, 0)) + " ms"
                     : std::to_string(ms / 1000) + " s";
}

std::string named(const Job& job) {
  const std::string id = to_text(job.id);
  return job.options.name.empty() ? "job " + id : "'" + job.options.name + "' (" + id + ")";
}

std::string text_of(const std::vector<Label>& labels) {
  std::string text;
  for (const Label& label : labels)
    text += (text.empty() ? "" : " ") + label.name + "=" + label.value;
  return text;
}

// Of the workers that offer its function: why they do not serve it.
struct Audience {
  std::uint64_t offering{};
  std::uint64_t without_labels{};
  std::uint64_t other_signature{};
  std::uint64_t away{};  // gone or draining
  std::uint64_t slots{};
  std::uint64_t free_slots{};
  const Worker* unlabelled = nullptr;
  const Worker* different = nullptr;
};

Audience audience_of(const World& world, const Job& job) {
  Audience audience;
  for (const auto& [session, worker] : world.workers) {
    const FunctionOffer* offer = worker->offer(job.options.spec.function);
    if (offer == nullptr) continue;
    ++audience.offering;
    if (!has_labels(*worker, job.options.where)) {
      ++audience.without_labels;
      audience.unlabelled = worker.get();
    } else if (!can_run(*worker, job)) {
      ++audience.other_signature;
      audience.different = worker.get();
    } else if (!worker->may_be_given()) {
      ++audience.away;
    } else {
      audience.slots += worker->slots;
      if (worker->leased_tasks < worker->slots)
        audience.free_slots += worker->slots - worker->leased_tasks;
    }
  }
  return audience;
}

std::string nobody_offers(const World& world, const Job& job) {
  std::vector<std::string> names;
  for (const auto& [function, workers] : world.offering) names.push_back(function);
  return unknown_function(job.options.spec.function, std::move(names));
}

// Workers offer its function, and none of them may be given it.
std::string nobody_fits(const Job& job, const Audience& audience) {
  const std::string function = "'" + job.options.spec.function + "'";
  std::string text = "none of the " + counted(audience.offering, "worker") + " that offer" +
                     (audience.offering == 1 ? "s " : " ") + function + " can take it:";
  const auto add = [&text](const std::string& part) {
    text += (text.back() == ':' ? " " : ", ") + part;
  };
  if (audience.without_labels > 0)
    add(std::to_string(audience.without_labels) + " without " + text_of(job.options.where) +
        " (such as " + audience.unlabelled->label + ")");
  if (audience.other_signature > 0)
    add(std::to_string(audience.other_signature) + " with another signature than " + job.signature +
        " (such as " + audience.different->label + ")");
  if (audience.away > 0) add(std::to_string(audience.away) + " away or draining");
  return text;
}

std::string waits_for_turn(const World& world, const Job& job, const Audience& audience) {
  const Job* higher = nullptr;
  std::uint64_t others = 0;
  for (const auto& [id, other] : world.active) {
    if (other == &job) continue;
    if (other->leased > 0) ++others;
    if (other->waiting && other->options.priority > job.options.priority &&
        (higher == nullptr || other->options.priority > higher->options.priority))
      higher = other;
  }
  if (higher != nullptr)
    return named(*higher) + " goes first: its priority is " +
           std::to_string(higher->options.priority) + ", and of this one " +
           std::to_string(job.options.priority);
  if (audience.free_slots == 0 && others > 0)
    return "all " + counted(audience.slots, "slot") + " that could run it are busy with " +
           counted(others, "other job");
  return "it is about to be dealt";
}

}  // namespace

std::string reason_of(const World& world, const Job& job) {
  if (job.all_done() || job.leased > 0) return {};
  if (job.held) return "it is paused; to let it go on: fanmill resume " + to_text(job.id);
  if (job.paused)
    return "its producer is gone; it goes on once somebody gathers it: fanmill gather " +
           to_text(job.id);
  if (!job.has_work()) {
    if (job.awaited_until)
      return counted(job.awaited.count(), "task") +
             " may be under way since before the broker's restart: dealt again in " +
             within(*job.awaited_until - world.now) + ", unless a worker has them";
    if (!job.delayed.empty())
      return counted(job.delayed.size(), "failed task") + " wait" +
             (job.delayed.size() == 1 ? "s" : "") + " to be tried again, the first in " +
             within(job.delayed.begin()->first - world.now);
    return "it waits for tuples";
  }
  if (!may_deal(world, job))
    return "its reader is behind: " + std::to_string(job.unacknowledged_bytes >> 20) +
           " MiB of results, in " + counted(std::max(job.rows.size(), job.log.size()), "part") +
           ", are not read";
  const Audience audience = audience_of(world, job);
  if (audience.offering == 0) return nobody_offers(world, job);
  if (audience.slots == 0) return nobody_fits(job, audience);
  return waits_for_turn(world, job, audience);
}

}  // namespace fanmill::broker
