// What a Rows message carries, task by task: values and tuples stay msgpack and point into the
// blob.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "producer/session.hpp"
#include "proto/error.hpp"
#include "proto/result_batch.hpp"

namespace fanmill::producer {

struct Row {
  TaskIndex index;
  std::string_view value;                  // msgpack; empty unless it succeeded
  std::string_view tuple;                  // msgpack; empty unless the job asked for tuples
  const CapturedOutput* output = nullptr;  // where it printed
  const Failure* failure = nullptr;        // where it did not succeed
  std::uint64_t run_ns{};
  std::int64_t start_unix_us{};  // reckoned from the batch's first task
};

// Walks the rows of one message in order.
class RowBatch {
 public:
  // Refused (kProtocol, kLimit): a blob that does not hold what the header says. `rows` must live
  // longer than this.
  static Result<RowBatch> make(const Rows& rows, std::string_view blob);

  // The next row; false after the last one.
  Result<bool> next(Row& row);

  const Rows& rows() const { return *rows_; }
  const ResultColumns& columns() const { return columns_; }
  // Succeeded, nothing was printed, no tuples: the values alone say everything.
  bool only_values() const;
  // The values of all rows left, as they stand in the blob.
  std::string_view values_left() const { return values_.substr(value_at_); }

 private:
  const Rows* rows_ = nullptr;
  ResultColumns columns_;
  std::string_view values_;
  std::string_view tuples_;
  std::size_t value_at_ = 0;
  std::size_t tuple_at_ = 0;
  std::size_t output_at_ = 0;
  std::uint64_t offset_ = 0;  // of the next row in its batch
  std::uint64_t left_ = 0;
  std::uint64_t mean_run_ns_ = 0;
  std::uint64_t earlier_ns_ = 0;  // run time of the batch's tasks before the next row
};

// How the end of a row's task is named in jsonl and csv: succeeded, failed, dead-lettered,
// cancelled; and why it did not succeed: error, crashed, time-limit, worker-lost, cancelled, or
// nothing.
std::string_view status_name(const Rows& rows);
std::string_view cause_name(Outcome outcome);

// The text of a msgpack string or bin that makes up all of `value`; nullopt for any other value.
std::optional<std::string_view> text_of(std::string_view value);

}  // namespace fanmill::producer
