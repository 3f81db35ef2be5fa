// Leased tasks that no executor has, in the order in which they will be dealt.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "worker/lease_book.hpp"

namespace fanmill::worker {

class WorkQueue {
 public:
  void push_back(Piece piece);
  // Before everything else, but in index order with what lies at the front of the same job.
  void put_front(Piece piece);
  // The first `count` tasks of the front piece.
  Piece take_front(std::uint64_t count);
  // Up to `count` tasks from the back, of `job` alone if it is not null; last first.
  std::vector<Piece> take_back(std::uint64_t count, const Job* job);
  std::vector<Piece> take_lease(const HeldLease& lease);
  std::vector<Piece> take_job(const Job& job);
  std::vector<Piece> take_all();

  const std::deque<Piece>& pieces() const { return pieces_; }
  bool empty() const { return pieces_.empty(); }
  std::uint64_t tasks() const { return tasks_; }
  std::uint64_t tasks_of(const Job& job) const;

 private:
  template <class Predicate>
  std::vector<Piece> take_if(Predicate predicate);
  std::deque<Piece> pieces_;
  std::uint64_t tasks_ = 0;
};

}  // namespace fanmill::worker
