#include "producer/row_cells.hpp"

#include <ctime>
#include <iterator>

#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

Cell word(std::string_view text) {
  if (text.empty()) return {};
  return {Cell::Kind::kWord, text};
}

Cell text_or_nothing(std::string_view text) {
  if (text.empty()) return {};
  return {Cell::Kind::kText, text};
}

}  // namespace

void RowCells::take(const Rows& rows, const Row& row) {
  rows_ = &rows;
  row_ = &row;
  tuple_cut_ = false;
}

Cell RowCells::cell(const Column& column) {
  switch (column.fact) {
    case RowFact::kIndex:
      return number(row_->index.value);
    case RowFact::kParams:
      if (row_->tuple.empty()) return {};
      return {Cell::Kind::kValue, row_->tuple};
    case RowFact::kParam:
      return parameter(column);
    case RowFact::kValue:
      if (row_->value.empty()) return {};
      return {Cell::Kind::kValue, row_->value};
    case RowFact::kStatus:
      return word(status_name(*rows_));
    case RowFact::kCause:
      return word(cause_name(rows_->outcome));
    case RowFact::kError:
      return row_->failure == nullptr ? Cell{} : text_or_nothing(row_->failure->message);
    case RowFact::kAttempt:
      return number(rows_->attempt);
    case RowFact::kWorker:
      return text_or_nothing(rows_->worker);
    case RowFact::kStart:
      return start();
    case RowFact::kRunTime:
      return run_time();
    case RowFact::kExitCode:
      return exit_code();
    case RowFact::kSignal:
      if (row_->failure == nullptr || row_->failure->signal <= 0) return {};
      return number(static_cast<std::uint64_t>(row_->failure->signal));
    case RowFact::kStdout:
      return {Cell::Kind::kText,
              row_->output == nullptr ? "" : std::string_view(row_->output->out)};
    case RowFact::kStderr:
      return {Cell::Kind::kText,
              row_->output == nullptr ? "" : std::string_view(row_->output->err)};
  }
  return {};
}

const std::vector<RowCells::Parameter>& RowCells::parameters() {
  cut_tuple();
  return parameters_;
}

bool RowCells::is_positional() {
  cut_tuple();
  return positional_;
}

Cell RowCells::number(std::uint64_t value) {
  const fmt::format_int digits(value);
  scratch_.assign(digits.data(), digits.size());
  return {Cell::Kind::kNumber, scratch_};
}

// 0 of a command that succeeded.
Cell RowCells::exit_code() {
  if (row_->failure != nullptr && row_->failure->exit_code >= 0) {
    return number(static_cast<std::uint64_t>(row_->failure->exit_code));
  }
  if (command_ && rows_->outcome == Outcome::kSucceeded) return number(0);
  return {};
}

bool RowCells::ran() const {
  return rows_->outcome != Outcome::kCancelled && rows_->attempt > 0 && row_->start_unix_us > 0;
}

Cell RowCells::start() {
  if (!ran()) return {};
  const std::int64_t second = row_->start_unix_us / 1'000'000;
  if (second != second_) {  // the rows of a batch mostly share it
    const std::time_t time = second;
    std::tm utc{};
    if (gmtime_r(&time, &utc) == nullptr) return {};
    second_ = second;
    second_text_ = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900,
                               utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
  }
  scratch_ = second_text_;
  fmt::format_to(std::back_inserter(scratch_), ".{:06}Z", row_->start_unix_us % 1'000'000);
  return {Cell::Kind::kWord, scratch_};
}

Cell RowCells::run_time() {
  if (!ran()) return {};
  scratch_.clear();
  fmt::format_to(std::back_inserter(scratch_), "{}.{:06}", row_->run_ns / 1'000'000'000,
                 row_->run_ns / 1000 % 1'000'000);
  return {Cell::Kind::kNumber, scratch_};
}

Cell RowCells::parameter(const Column& column) {
  cut_tuple();
  std::string_view value;
  if (positional_) {
    if (column.position && *column.position < parameters_.size()) {
      value = parameters_[*column.position].value;
    }
  } else {
    for (const Parameter& parameter : parameters_) {
      if (parameter.name == column.parameter) value = parameter.value;
    }
  }
  if (value.empty()) return {};
  return {Cell::Kind::kValue, value};
}

// RowBatch has checked the bytes; what is neither an array nor a map has no parameters.
void RowCells::cut_tuple() {
  if (tuple_cut_) return;
  tuple_cut_ = true;
  parameters_.clear();
  positional_ = true;
  const std::string_view tuple = row_->tuple;
  if (tuple.empty()) return;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(tuple[i]); };
  const unsigned head = byte(0);
  std::size_t at = 1;
  std::size_t count = head & 0x0fU;
  if (head >= 0xdc && head <= 0xdf) {
    const std::size_t size = (head & 1U) != 0 ? 4 : 2;
    count = 0;
    for (; at <= size; ++at) count = count << 8 | byte(at);
    positional_ = head <= 0xdd;
  } else if ((head & 0xf0U) == 0x80 || (head & 0xf0U) == 0x90) {
    positional_ = (head & 0xf0U) == 0x90;
  } else {
    return;
  }
  const auto next = [&] {
    const std::size_t from = at;
    if (!skip_msgpack(tuple, at, 1)) return std::string_view();
    return tuple.substr(from, at - from);
  };
  for (std::size_t i = 0; i < count; ++i) {
    Parameter parameter;
    if (!positional_) parameter.name = text_of(next()).value_or("");
    parameter.value = next();
    parameters_.push_back(parameter);
  }
}

}  // namespace fanmill::producer
