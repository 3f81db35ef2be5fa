#include "broker/core/recalls.hpp"

#include <algorithm>
#include <chrono>

#include "broker/core/mutation.hpp"

namespace fanmill::broker {
namespace {

constexpr std::chrono::seconds kGivenUpAfter{1};
constexpr std::chrono::milliseconds kAgainAfter{50};  // where there was nothing to give back

// Less work per slot than this is not worth a recall: what is dealt now waits no longer for it
// than a batch takes.
constexpr double kLeastAheadNs = static_cast<double>(nanoseconds(limits::kBatchTime).count());

bool worth_it(const Worker& worker, const Share& share, const Job& job) {
  if (!job.measured) return true;
  return static_cast<double>(share.leased) * job.mean_ns >
         kLeastAheadNs * static_cast<double>(worker.slots);
}

}  // namespace

void ask_back(World& world, Worker& worker, Share& share, std::uint64_t count) {
  share.recall = ++worker.recalls;
  share.recall_all = count >= share.leased;
  share.recall_after = worker.leases_sent;
  share.recall_until = world.now + kGivenUpAfter;
  ++worker.recalls_out;
  world.timers.arm(share.recall_until, TimerKind::kRecall, worker.session.value);
  Outgoing out{
      worker.peer, worker.session, ToWorker{Recall{share.recall, share.job, count}}, {}, {}};
  // After the leases that it is about.
  auto& queue =
      worker.after_until <= world.durable ? world.duties.send_now : world.duties.send_after;
  queue.push_back(std::move(out));
}

void recall_lower(World& world, Worker& worker, std::int32_t priority) {
  if (worker.fill.empty() || worker.fill.front().priority >= priority) return;
  for (Share& share : worker.shares) {
    if (share.leased == 0 || !share.unstarted || share.recall != 0) continue;
    const Job* job = world.job(share.job);
    if (job == nullptr || job->stopped || job->options.priority >= priority) continue;
    if (worth_it(worker, share, *job)) ask_back(world, worker, share, share.leased);
  }
}

void recall_paused(World& world, Worker& worker) {
  if (mutated(Mutation::kPauseWithoutRecall)) return;
  for (Share& share : worker.shares) {
    if (share.leased == 0 || !share.unstarted || share.recall != 0) continue;
    const Job* job = world.job(share.job);
    if (job != nullptr && !job->stopped && job->stands_still())
      ask_back(world, worker, share, share.leased);
  }
}

void look_for_paused(World& world, Worker& worker, const WorkerHeartbeat& heartbeat) {
  bool some = false;
  for (Share& share : worker.shares) {
    if (share.leased == 0) continue;
    const Job* job = world.job(share.job);
    if (job == nullptr || !job->stands_still()) continue;
    const auto running =
        std::count_if(heartbeat.running.begin(), heartbeat.running.end(),
                      [&share](const RunningTask& task) { return task.job == share.job; });
    if (static_cast<std::uint64_t>(running) >= share.leased) continue;
    some = share.unstarted = true;
  }
  if (some) recall_paused(world, worker);
}

void on_recall_answered(World& world, Worker& worker, const Returned& returned, bool anything) {
  if (returned.recall == 0) return;
  for (Share& share : worker.shares) {
    if (share.recall != returned.recall) continue;
    share.recall = 0;
    --worker.recalls_out;
    // What was leased since then may have crossed the answer.
    if ((share.recall_all || !anything) && share.last_lease <= share.recall_after)
      share.unstarted = false;
    if (!anything) worker.recall_not_before = world.now + kAgainAfter;
    return;
  }
}

void give_up_recalls(World& world, SessionId session) {
  Worker* worker = world.worker(session);
  if (worker == nullptr || worker->recalls_out == 0) return;
  for (Share& share : worker->shares) {
    if (share.recall == 0 || share.recall_until > world.now) continue;
    share.recall = 0;
    --worker->recalls_out;
  }
  recall_paused(world, *worker);
  world.touch(*worker);
}

}  // namespace fanmill::broker
