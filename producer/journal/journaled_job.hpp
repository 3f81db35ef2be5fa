// Between a job and its output. Tuples that the journal has results of are not run again; results
// that come are recorded, in the order in which tasks end; and old and new leave as one stream of
// rows, numbered as the input is.
//
//   source ──► wrap() ──► the job            rows ──► take() ──► the file ──► next() ──► writer
//                └─ what is done already ────────────────────────────┘
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "producer/journal/journal_file.hpp"
#include "producer/journal/layout.hpp"
#include "producer/journal/recorded.hpp"
#include "producer/journal/tuple_match.hpp"
#include "producer/session.hpp"
#include "producer/source.hpp"

namespace fanmill::producer {

// What a run over this input would do.
struct ResumePlan {
  std::uint64_t tuples{};  // of the input
  std::uint64_t done{};
  std::uint64_t failed{};      // before; they run again
  std::uint64_t unfinished{};  // given before, and never ended
  std::uint64_t fresh{};       // never seen
  std::uint64_t gone{};        // in the journal, and not in the input any more
  bool output_continues = false;
};

// Reads `source` to its end. `output`: what the journal says of the file that is written now.
Result<ResumePlan> plan_resume(JournalFile& file, TupleSource& source,
                               const std::optional<JournalOutput>& output);

class JournaledJob {
 public:
  // `in_order`: rows leave in input order, else as they come. The first `written` rows of the
  // output are there already.
  JournaledJob(JournalFile file, bool in_order, std::uint64_t written);
  JournaledJob(const JournaledJob&) = delete;
  JournaledJob& operator=(const JournaledJob&) = delete;

  // Gives what is not done. An error of the journal is an error of its fill(). Lives no longer than
  // this.
  std::unique_ptr<TupleSource> wrap(std::unique_ptr<TupleSource> source);
  // What is done already waits to be written, so the input is read no further for now.
  bool is_ahead() const { return layout_.rows() > next_input_ + kAheadMax; }
  std::uint64_t tuples() const { return layout_.rows(); }  // of the input so far
  std::uint64_t reused() const { return reused_; }
  bool was_empty() const { return was_empty_; }  // before this run
  // The first row of an output of that layout, as it was.
  Result<RowsArrived> first_row(const std::string& layout);

  // Of a task of the job that has not ended, the row of the input.
  std::uint64_t input_of(std::uint64_t job_index) const;
  // Rows of the job, numbered as it was given its tuples.
  Result<void> take(const RowsArrived& arrived);
  // The next rows for the output; nothing: they are not there yet. Their `next` counts the bytes
  // handed over so far.
  Result<std::optional<RowsArrived>> next();
  std::uint64_t handed_bytes() const { return handed_bytes_; }

  // Of the output so far: its rows, and their positions as Layout::text says them. Nothing: it
  // cannot be gone on with, because a task among them has failed, or for want of an order.
  std::optional<std::string> layout_of(std::uint64_t rows) const;

  JournalFile& file() { return file_; }
  const JournalFile& file() const { return file_; }

 private:
  class Source;
  // Tuples that were given to the job: its indexes [job, job + count) are these rows of the input.
  struct Given {
    std::uint64_t input{};
    std::uint64_t position{};
    std::uint64_t count{};
    std::uint64_t left{};  // without a row
  };
  static constexpr std::uint64_t kAheadMax = 1u << 20;
  static constexpr std::size_t kHotBytes = 32 * limits::kMiB;

  // The next tuple of the input; true: the job is to run it.
  Result<bool> matched(const TupleHash& hash);
  Result<std::optional<RowsArrived>> next_in_order();
  Result<std::optional<RowsArrived>> next_as_completed();
  // A stretch of which not all rows were handed over.
  struct Hot {
    RowsArrived rows;
    std::uint64_t left{};
  };
  using HotStretch = std::map<std::uint64_t, Hot>::iterator;
  // The end of `hot_`: the task has not ended.
  Result<HotStretch> stretch_at(std::uint64_t position);
  RowsArrived hand_over(HotStretch stretch, std::uint64_t position, std::uint64_t count,
                        std::uint64_t input);
  HotStretch keep_hot(RowsArrived arrived);
  Error missing() const;

  JournalFile file_;
  const bool in_order_;
  const bool was_empty_;
  TupleMatch match_;
  Recorded before_;  // this run

  Layout layout_;
  std::size_t layout_at_ = 0;  // the run that next_input_ is in
  std::uint64_t given_ = 0;    // tuples, to the job
  std::uint64_t reused_ = 0;
  std::map<std::uint64_t, Given> jobs_;  // by the first index in the job

  std::uint64_t next_input_;                // of the output
  std::optional<std::uint64_t> waits_for_;  // a position that has no row yet
  std::deque<LayoutRun> ready_;             // for an output without an order
  std::uint64_t first_not_ok_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t handed_bytes_ = 0;

  std::map<std::uint64_t, Hot> hot_;  // by the first position; came or were read lately
  std::size_t hot_bytes_ = 0;
};

}  // namespace fanmill::producer
