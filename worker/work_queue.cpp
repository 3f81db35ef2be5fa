#include "worker/work_queue.hpp"

#include <algorithm>

namespace fanmill::worker {

void WorkQueue::push_back(Piece piece) {
  tasks_ += piece.tasks.count;
  pieces_.push_back(piece);
}

void WorkQueue::put_front(Piece piece) {
  tasks_ += piece.tasks.count;
  auto at = pieces_.begin();
  while (at != pieces_.end() && at->lease->job == piece.lease->job &&
         at->tasks.first < piece.tasks.first) {
    ++at;
  }
  if (at != pieces_.end() && at->lease == piece.lease && piece.tasks.end() == at->tasks.first) {
    at->tasks = {piece.tasks.first, piece.tasks.count + at->tasks.count};
    return;
  }
  if (at != pieces_.begin()) {
    auto before = std::prev(at);
    if (before->lease == piece.lease && before->tasks.end() == piece.tasks.first) {
      before->tasks.count += piece.tasks.count;
      return;
    }
  }
  pieces_.insert(at, piece);
}

Piece WorkQueue::take_front(std::uint64_t count) {
  Piece& front = pieces_.front();
  FANMILL_ASSERT(count > 0 && count <= front.tasks.count);
  const Piece taken{front.lease, {front.tasks.first, count}};
  tasks_ -= count;
  front.tasks = {front.tasks.first + count, front.tasks.count - count};
  if (front.tasks.empty()) pieces_.pop_front();
  return taken;
}

std::vector<Piece> WorkQueue::take_back(std::uint64_t count, const Job* job) {
  std::vector<Piece> taken;
  for (std::size_t i = pieces_.size(); i-- > 0 && count > 0;) {
    Piece& piece = pieces_[i];
    if (job != nullptr && piece.lease->job != job) continue;
    const std::uint64_t some = std::min(count, piece.tasks.count);
    piece.tasks.count -= some;
    taken.push_back({piece.lease, {piece.tasks.end(), some}});
    count -= some;
    tasks_ -= some;
    if (piece.tasks.empty()) pieces_.erase(pieces_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return taken;
}

template <class Predicate>
std::vector<Piece> WorkQueue::take_if(Predicate predicate) {
  std::vector<Piece> taken;
  std::deque<Piece> left;
  for (const Piece& piece : pieces_) {
    if (predicate(piece)) {
      taken.push_back(piece);
      tasks_ -= piece.tasks.count;
    } else {
      left.push_back(piece);
    }
  }
  pieces_ = std::move(left);
  return taken;
}

std::vector<Piece> WorkQueue::take_lease(const HeldLease& lease) {
  return take_if([&](const Piece& piece) { return piece.lease == &lease; });
}
std::vector<Piece> WorkQueue::take_job(const Job& job) {
  return take_if([&](const Piece& piece) { return piece.lease->job == &job; });
}
std::vector<Piece> WorkQueue::take_all() {
  return take_if([](const Piece&) { return true; });
}

std::uint64_t WorkQueue::tasks_of(const Job& job) const {
  std::uint64_t tasks = 0;
  for (const Piece& piece : pieces_) {
    if (piece.lease->job == &job) tasks += piece.tasks.count;
  }
  return tasks;
}

}  // namespace fanmill::worker
