#include "producer/row_batch.hpp"

#include <utility>

#include "proto/value.hpp"

namespace fanmill::producer {

Result<RowBatch> RowBatch::make(const Rows& rows, std::string_view blob) {
  if (rows.values_bytes > blob.size() || rows.tuples_bytes > blob.size() - rows.values_bytes) {
    return fail(ErrorCode::kProtocol, "rows are shorter than they say");
  }
  RowBatch batch;
  batch.rows_ = &rows;
  batch.values_ = blob.substr(0, rows.values_bytes);
  const std::size_t columns_bytes = blob.size() - rows.values_bytes - rows.tuples_bytes;
  auto columns = decode_columns(blob.substr(rows.values_bytes, columns_bytes));
  if (!columns) return tl::make_unexpected(columns.error());
  batch.columns_ = std::move(*columns);
  batch.tuples_ = blob.substr(rows.values_bytes + columns_bytes);
  batch.offset_ = rows.first - rows.batch_first;
  batch.left_ = rows.count;
  batch.mean_run_ns_ = rows.batch_count > 0 ? rows.run_ns / rows.batch_count : 0;
  const ResultColumns& c = batch.columns_;
  const std::uint64_t end = batch.offset_ + rows.count;
  if ((!c.run_ns.empty() && c.run_ns.size() < end) ||
      (!c.failures.empty() && c.failures.size() < end)) {
    return fail(ErrorCode::kProtocol, "rows with columns that are too short");
  }
  if (rows.outcome == Outcome::kSucceeded) {
    if (auto ok = skip_msgpack(batch.values_, batch.value_at_, batch.offset_); !ok) {
      return tl::make_unexpected(ok.error());
    }
    // A slice may end before its batch does.
    if (end < rows.batch_count) {
      std::size_t values_end = batch.value_at_;
      if (auto ok = skip_msgpack(batch.values_, values_end, rows.count); !ok) {
        return tl::make_unexpected(ok.error());
      }
      batch.values_ = batch.values_.substr(0, values_end);
    }
  }
  if (rows.tuples_bytes > 0) {
    if (auto ok = skip_msgpack(batch.tuples_, batch.tuple_at_, rows.tuples_skip); !ok) {
      return tl::make_unexpected(ok.error());
    }
  }
  for (std::uint64_t i = 0; i < batch.offset_; ++i) {
    batch.earlier_ns_ += c.run_ns.empty() ? batch.mean_run_ns_ : c.run_ns[i];
  }
  while (batch.output_at_ < c.outputs.size() &&
         c.outputs[batch.output_at_].offset < batch.offset_) {
    ++batch.output_at_;
  }
  return batch;
}

bool RowBatch::only_values() const {
  return rows_->outcome == Outcome::kSucceeded && columns_.outputs.empty();
}

Result<bool> RowBatch::next(Row& row) {
  if (left_ == 0) return false;
  --left_;
  row = Row{};
  row.index = rows_->batch_first + offset_;
  if (rows_->outcome == Outcome::kSucceeded) {
    const std::size_t from = value_at_;
    if (auto ok = skip_msgpack(values_, value_at_, 1); !ok) {
      return tl::make_unexpected(ok.error());
    }
    row.value = values_.substr(from, value_at_ - from);
  }
  if (rows_->tuples_bytes > 0) {
    const std::size_t from = tuple_at_;
    if (auto ok = skip_msgpack(tuples_, tuple_at_, 1); !ok) {
      return tl::make_unexpected(ok.error());
    }
    row.tuple = tuples_.substr(from, tuple_at_ - from);
  }
  if (output_at_ < columns_.outputs.size() && columns_.outputs[output_at_].offset == offset_) {
    row.output = &columns_.outputs[output_at_++];
  }
  if (!columns_.failures.empty()) row.failure = &columns_.failures[offset_];
  row.run_ns = columns_.run_ns.empty() ? mean_run_ns_ : columns_.run_ns[offset_];
  // Tasks of one batch ran one after the other.
  row.start_unix_us = columns_.start_unix_us + static_cast<std::int64_t>(earlier_ns_ / 1000);
  earlier_ns_ += row.run_ns;
  ++offset_;
  return true;
}

std::string_view status_name(const Rows& rows) {
  if (rows.dead_lettered) return "dead-lettered";
  if (rows.outcome == Outcome::kSucceeded) return "succeeded";
  return rows.outcome == Outcome::kCancelled ? "cancelled" : "failed";
}

std::string_view cause_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSucceeded:
      return "";
    case Outcome::kFailed:
      return "error";
    case Outcome::kCrashed:
      return name_of(ErrorCode::kCrashed);
    case Outcome::kTimeLimit:
      return name_of(ErrorCode::kTimeLimit);
    case Outcome::kWorkerLost:
      return name_of(ErrorCode::kWorkerLost);
    case Outcome::kCancelled:
      return name_of(ErrorCode::kCancelled);
  }
  return "unknown";
}

std::optional<std::string_view> text_of(std::string_view value) {
  if (value.empty()) return {};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(value[i]); };
  const unsigned head = byte(0);
  std::size_t head_bytes = 1;
  std::size_t length_bytes = 0;
  std::size_t length = 0;
  if (head >= 0xa0 && head <= 0xbf) {
    length = head & 0x1fU;
  } else if (head == 0xd9 || head == 0xc4) {
    length_bytes = 1;
  } else if (head == 0xda || head == 0xc5) {
    length_bytes = 2;
  } else if (head == 0xdb || head == 0xc6) {
    length_bytes = 4;
  } else {
    return {};
  }
  if (value.size() < head_bytes + length_bytes) return {};
  for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte(head_bytes + i);
  head_bytes += length_bytes;
  if (value.size() - head_bytes != length) return {};
  return value.substr(head_bytes);
}

}  // namespace fanmill::producer
