// The lives of the broker: what ends with one, and what goes on in the next.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/oracle.hpp"
#include "tests/sim/payload.hpp"

namespace fanmill::sim {

void Oracle::broker_dies() {
  full_ = false;
  for (; !undo_.empty(); undo_.pop_back()) undo_.back().second();
  for (auto& [code, token] : tokens_) {
    token.released = true;
    token.number = 0;
  }
  for (auto& [id, session] : sessions_) session.over = true;
  for (auto& [id, instance] : instances_) {
    instance.attempt = 0;
    instance.peer = {};
    instance.claims.clear();
  }
  unseen_.clear();
  dealt_.clear();
  to_recall_.clear();
  for (Job& job : jobs_) {
    job.recalled.clear();
    job.signature = job.signature_known;
    job.pause_request = 0;
    job.paused = job.paused && job.held;
    // What may have been dealt is awaited first.
    job.dealt_to = std::max(job.dealt_to, job.horizon);
    for (Task& task : job.tasks) {
      task.charged_crashes = task.stored_crashes;
      if (task.record != 0) continue;
      for (std::size_t i = task.first_run; i < task.runs.size(); ++i) task.runs[i].heard = false;
    }
  }
}

void Oracle::broker_lives(std::uint32_t epoch) {
  if (epoch <= epoch_) violated("epochs rise", fmt::format("{} after {}", epoch, epoch_));
  epoch_ = epoch;
  born_ = now_;
}

// Nobody goes on with a task under a lower token than one that is claimed.
void Oracle::check_dropped(const Claim& claim) {
  const Job* of = job(claim.job);
  const std::uint64_t code = code_of(claim.token);
  if (of == nullptr || claim.token.epoch == epoch_) return;
  for (const IndexRange& range : claim.unfinished)
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
      const Task& task = of->tasks[at.value];
      if (task.record != 0 || task.charged >= code || task.last_token >= code) continue;
      const Token& kept = tokens_[task.last_token];
      if (!kept.released && kept.kept_in == epoch_ && kept.open.contains(at))
        violated("of several claims the highest is kept",
                 fmt::format("{} task {}: t{} and not t{}", of->plan->key, at.value,
                             task.last_token, code));
    }
}

// A worker goes on with what an earlier life of the broker leased to it.
void Oracle::kept_again(Token& token, std::uint64_t code, const std::vector<IndexRange>& claimed) {
  Job& of = jobs_[token.ordinal];
  // Where it is not known whether its session had ended, it may just move over, with tasks that
  // have a record under another token.
  const RangeSet had = token.kept_in == epoch_ ? std::exchange(token.open, {}) : RangeSet{};
  token.open = {};
  for (const IndexRange& range : claimed)
    for (TaskIndex at = range.first; at < range.end(); at = at + 1) {
      Task& task = of.tasks[at.value];
      if ((task.record != 0 && !had.contains(at)) || task.charged >= code) continue;
      if (task.last_token > code) {
        const Token& later = tokens_[task.last_token];
        if (!later.released && later.open.contains(at)) continue;
      }
      // Of several claims the highest is kept.
      if (Token& before = tokens_[task.last_token]; !before.released && task.last_token != code)
        before.open.remove({at, 1});
      token.open.add({at, 1});
      task.last_token = code;
    }
  token.released = token.open.empty();
  token.kept_in = epoch_;
  token.number = 0;
}

}  // namespace fanmill::sim
