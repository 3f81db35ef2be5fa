// Finds each tuple of an input in a journal: by its content, the second of two equal ones being
// another task than the first. An input that is as it was, or longer, is compared in step; where it
// differs, the rest of the journal is indexed.
#pragma once

#include <cstdint>
#include <optional>

#include "producer/journal/journal_file.hpp"

namespace fanmill::producer {

class TupleMatch {
 public:
  // Of what the journal holds now; positions that are added later are not found.
  explicit TupleMatch(JournalFile& file) : file_(&file), known_(file.positions()) {}

  // Its position, or nothing: it is not in the journal.
  Result<std::optional<std::uint64_t>> find(const TupleHash& hash);
  // Those of the journal that no tuple was so far.
  std::uint64_t left() const { return known_ - found_; }

 private:
  JournalFile* file_;
  std::uint64_t known_;
  std::uint64_t found_ = 0;
  std::uint64_t next_ = 0;  // the one behind the last that was found
  bool indexed_ = false;
};

}  // namespace fanmill::producer
