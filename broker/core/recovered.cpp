#include "broker/core/recovered.hpp"

#include "proto/range_set.hpp"

namespace fanmill::broker {

std::vector<IndexRange> RecoveredJob::valid_now(const PutRecord& record) const {
  if (rounds.empty()) return record.valid;
  RangeSet left;
  for (const IndexRange& range : record.valid) left.add(range);
  for (const PutRound& round : rounds) {
    if (round.after < record.record) continue;
    for (const IndexRange& range : round.tasks) left.remove(range);
  }
  return left.ranges();
}

}  // namespace fanmill::broker
