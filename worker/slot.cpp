#include "worker/slot.hpp"

#include <algorithm>

namespace fanmill::worker {

void Slot::begin_process() {
  FANMILL_ASSERT(deals_.empty());
  next_ = started_ = finished_ = 0;
  must_stop_ = false;
  stop = Stop::kNone;
  bound.clear();
  kill_at.reset();
  kill_reason = KillReason::kNone;
}

void Slot::dealt(Piece piece, MonoTime now) {
  if (deals_.empty()) progress_at = now;
  deals_.push_back({piece.lease, next_, piece.tasks});
  next_ += piece.tasks.count;
  tasks_ += piece.tasks.count;
}

std::optional<Piece> Slot::complete(std::uint64_t position, std::uint64_t count) {
  for (auto it = deals_.begin(); it != deals_.end(); ++it) {
    if (position >= it->end()) continue;
    if (position < it->position || count == 0 || count > it->end() - position) return std::nullopt;
    const Deal whole = *it;
    const std::uint64_t before = position - whole.position;
    const Piece done{whole.lease, {whole.tasks.first + before, count}};
    const Deal rest{
        whole.lease, position + count, {done.tasks.end(), whole.tasks.count - before - count}};
    it->tasks.count = before;
    if (!rest.tasks.empty()) it = std::prev(deals_.insert(std::next(it), rest));
    if (before == 0) deals_.erase(it);
    tasks_ -= count;
    started_ = std::max(started_, position + count);
    finished_ = std::max(finished_, position + count);
    settle_stop();
    return done;
  }
  return std::nullopt;
}

std::vector<Piece> Slot::take_from(std::uint64_t position) {
  std::vector<Piece> taken;
  while (!deals_.empty() && deals_.back().end() > position) {
    Deal& last = deals_.back();
    const std::uint64_t keep = position > last.position ? position - last.position : 0;
    taken.push_back({last.lease, {last.tasks.first + keep, last.tasks.count - keep}});
    tasks_ -= last.tasks.count - keep;
    last.tasks.count = keep;
    if (keep > 0) break;
    deals_.pop_back();
  }
  std::reverse(taken.begin(), taken.end());
  return taken;
}

std::optional<Piece> Slot::at(std::uint64_t position) const {
  for (const Deal& deal : deals_) {
    if (position < deal.position) break;
    if (position < deal.end()) {
      return Piece{deal.lease, {deal.tasks.first + (position - deal.position), 1}};
    }
  }
  return std::nullopt;
}

bool Slot::progress(std::uint64_t started, std::uint64_t finished) {
  const bool moved = started != started_ || finished > finished_;
  started_ = std::max(started, finished_);
  finished_ = std::max(finished, finished_);
  return moved;
}

std::optional<std::uint64_t> Slot::running_position() const {
  if (deals_.empty()) return std::nullopt;
  if (!uses_page) return deals_.front().position;
  if (started_ <= finished_ || !at(started_ - 1)) return std::nullopt;
  return started_ - 1;
}

std::uint64_t Slot::unstarted_from() const {
  if (!uses_page || deals_.empty()) return next_;
  return std::max(started_, deals_.front().position);
}

std::uint64_t Slot::unstarted() const { return outstanding_from(unstarted_from()); }

std::uint64_t Slot::waiting_from() const {
  if (!uses_page || deals_.empty()) return next_;
  return std::max(started_, deals_.front().position + 1);
}

std::uint64_t Slot::waiting() const { return outstanding_from(waiting_from()); }

std::uint64_t Slot::outstanding_from(std::uint64_t position) const {
  std::uint64_t count = 0;
  for (const Deal& deal : deals_) {
    if (deal.end() > position) count += deal.end() - std::max(position, deal.position);
  }
  return count;
}

void Slot::lower_end(std::uint64_t end) {
  stop = Stop::kAsked;
  asked_end_ = end;
}

std::vector<Piece> Slot::freed(std::uint64_t from) {
  // `from` is the greater of the end that was asked for and what the page said.
  if (from > asked_end_) started_ = std::max(started_, from);
  auto taken = take_from(from);
  stop = Stop::kStopping;
  must_stop_ = must_stop_ || !taken.empty();
  settle_stop();
  return taken;
}

std::vector<Piece> Slot::stopped(std::uint64_t position) {
  auto taken = take_from(position);
  // Frames that it had not read when it stopped hold tasks that are no longer its own, so it
  // forgets everything that was sent so far, bindings included.
  bound.clear();
  started_ = std::min(started_, std::max(position, finished_));
  must_stop_ = false;
  stop = Stop::kNone;
  return taken;
}

// Where nothing was freed the executor meets the end only if it undid the start of its last task.
// Else the last Done says that it has nothing left, and no Stopped will come.
void Slot::settle_stop() {
  if (stop == Stop::kStopping && !must_stop_ && deals_.empty()) stop = Stop::kNone;
}

std::vector<Piece> Slot::pieces() const {
  std::vector<Piece> all;
  for (const Deal& deal : deals_) all.push_back({deal.lease, deal.tasks});
  return all;
}

bool Slot::holds(const Job& job) const {
  return std::any_of(deals_.begin(), deals_.end(),
                     [&](const Deal& deal) { return deal.lease->job == &job; });
}

bool Slot::runs(const Job& job) const {
  if (deals_.empty()) return false;
  const auto position = running_position();
  if (!position) return deals_.front().lease->job == &job;
  const auto piece = at(*position);
  return piece && piece->lease->job == &job;
}

}  // namespace fanmill::worker
