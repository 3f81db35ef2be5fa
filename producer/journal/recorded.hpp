// How the task at a position ended, asked for many positions mostly in their order: the journal is
// looked into once for each stretch or gap.
#pragma once

#include <limits>
#include <optional>

#include "producer/journal/journal_file.hpp"

namespace fanmill::producer {

class Recorded {
 public:
  explicit Recorded(const JournalFile& file) : file_(&file) {}

  // Nothing: it has not ended. What is recorded since the last call may not be seen.
  Result<std::optional<Outcome>> outcome_at(std::uint64_t position) {
    if (position < first_ || position >= end_) {
      const auto found = file_->find(position);
      if (!found) return tl::make_unexpected(found.error());
      if (*found) {
        first_ = (*found)->first;
        end_ = (*found)->end();
        outcome_ = (*found)->outcome;
      } else {
        const auto next = file_->next_recorded(position);
        if (!next) return tl::make_unexpected(next.error());
        first_ = position;
        end_ = next->value_or(std::numeric_limits<std::uint64_t>::max());
        outcome_.reset();
      }
    }
    return outcome_;
  }

 private:
  const JournalFile* file_;
  std::uint64_t first_ = 0;
  std::uint64_t end_ = 0;
  std::optional<Outcome> outcome_;
};

}  // namespace fanmill::producer
