#include "producer/csv_source.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <fanmill/detail/pack.hpp>
#include <set>
#include <utility>

#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kBufferBytes = 256 * limits::kKiB;
// Parsed at once; bounds how many rows wait.
constexpr std::size_t kPieceBytes = 16 * limits::kKiB;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// RFC 4180: spaces are part of a field.
int no_space(unsigned char) { return 0; }

}  // namespace

CsvSource::CsvSource(InputFd input) : input_(std::move(input)), buffer_(kBufferBytes, '\0') {
  FANMILL_ASSERT(csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) == 0);
  csv_set_space_func(&parser_, no_space);
}

CsvSource::~CsvSource() { csv_free(&parser_); }

Result<std::unique_ptr<TupleSource>> CsvSource::make(InputFd input) {
  std::unique_ptr<CsvSource> source(new CsvSource(std::move(input)));
  while (!source->header_taken_ && !source->error_) {
    const auto state = source->read_on();
    if (!state) return tl::make_unexpected(state.error());
    if (*state == Supply::kNothingNow) {
      pollfd ready{.fd = source->input_.fd(), .events = POLLIN, .revents = 0};
      poll(&ready, 1, -1);
    }
    if (*state == Supply::kEnd) break;
  }
  if (!source->header_taken_) {
    if (source->error_) return tl::make_unexpected(*source->error_);
    return tl::make_unexpected(
        row_error(source->input_.name(), 1, 0,
                  "the file is empty; its first row should name the parameters"));
  }
  return source;
}

void CsvSource::set_signature(const Signature& signature) {
  if (is_trivial(signature)) return;
  const auto parameters = bind_elements(signature, names_.size(), names_);
  if (!parameters) {
    error_ =
        row_error(input_.name(), 1, 0, "the header does not fit: " + parameters.error().message);
    return;
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::size_t parameter = (*parameters)[i];
    if (parameter != kNoParameter) columns_[i].set_parameter(signature.parameters[parameter]);
  }
}

void CsvSource::fail_row(std::uint64_t line, std::string reason) {
  if (!error_) error_ = row_error(input_.name(), line, 0, reason);
}

void CsvSource::field(std::string_view text) {
  unended_ = 0;
  after_cr_ = false;
  if (error_) return;
  if (row_fields_ == 0) row_line_ = line_;
  if (!header_taken_) {
    header_.emplace_back(text);
  } else if (row_fields_ < columns_.size() && !columns_[row_fields_].append(row_, text)) {
    error_ =
        Error{ErrorCode::kMalformedInput,
              fmt::format("{}, line {}, column {} (\"{}\"): {}", input_.name(), line_,
                          row_fields_ + 1, names_[row_fields_], columns_[row_fields_].fault(text))};
  }
  line_ += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
  ++row_fields_;
}

void CsvSource::row_ended(int terminator) {
  if (error_) return;
  if (row_fields_ > 0) {
    if (!header_taken_) {
      take_header();
    } else if (row_fields_ != names_.size()) {
      fail_row(row_line_, fmt::format("{} field{}, but the header names {}", row_fields_,
                                      row_fields_ == 1 ? "" : "s", names_.size()));
    } else {
      pack::array_head(rows_, row_fields_);
      rows_ += row_;
      row_ends_.push_back(rows_.size());
    }
  }
  row_.clear();
  row_fields_ = 0;
  const bool ends_line = terminator == '\r' || (terminator == '\n' && !after_cr_);
  if (ends_line) ++line_;
  after_cr_ = terminator == '\r';
}

void CsvSource::take_header() {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    std::string& name = header_[i];
    if (name.empty()) name = fmt::format("arg{}", i + 1);
    if (name.size() > limits::kNameBytesMax) {
      fail_row(row_line_, fmt::format("the name of column {} is too long", i + 1));
      return;
    }
    if (!seen.insert(name).second) {
      fail_row(row_line_, fmt::format("two columns are called \"{}\"; rename one", name));
      return;
    }
  }
  names_ = std::move(header_);
  for (std::size_t i = 0; i < names_.size(); ++i)
    columns_.emplace_back(TextReader::Untyped::kGuessed);
  header_taken_ = true;
}

// Takes one byte of it; false: what comes is the header. The mark may stand before a quote, so the
// parser must not see it.
bool CsvSource::pass_byte_order_mark() {
  if (buffer_[parsed_] == kByteOrderMark[mark_bytes_]) {
    ++parsed_;
    at_start_ = ++mark_bytes_ < kByteOrderMark.size();
    return true;
  }
  at_start_ = false;
  return false;
}

Result<Supply> CsvSource::read_on() {
  if (at_end_ || error_) return Supply::kEnd;
  const auto on_field = [](void* text, std::size_t size, void* self) {
    static_cast<CsvSource*>(self)->field({static_cast<const char*>(text), size});
  };
  const auto on_row = [](int terminator, void* self) {
    static_cast<CsvSource*>(self)->row_ended(terminator);
  };
  if (parsed_ == buffered_) {
    const auto read = input_.read_some(buffer_.data(), buffer_.size());
    if (!read) return tl::make_unexpected(read.error());
    if (read->state == InputFd::State::kNothingNow) return Supply::kNothingNow;
    parsed_ = 0;
    buffered_ = read->bytes;
    if (read->state == InputFd::State::kEnd) {
      at_end_ = true;
      if (csv_fini(&parser_, on_field, on_row, this) != 0) {
        fail_row(line_, "a quoted field does not end");
      }
      return Supply::kEnd;
    }
  }
  if (at_start_) {
    if (pass_byte_order_mark()) return Supply::kMore;
    csv_parse(&parser_, kByteOrderMark.data(), mark_bytes_, on_field, on_row, this);
  }
  // The rows behind the header wait for set_signature().
  const std::size_t piece = header_taken_ ? std::min(kPieceBytes, buffered_ - parsed_) : 1;
  const std::size_t taken =
      csv_parse(&parser_, buffer_.data() + parsed_, piece, on_field, on_row, this);
  if (taken != piece && !error_) {
    const auto here = static_cast<std::ptrdiff_t>(parsed_ + taken);
    const auto line_begin =
        std::find(std::make_reverse_iterator(buffer_.begin() + here), buffer_.rend(), '\n').base();
    const std::uint64_t column =
        static_cast<std::uint64_t>(buffer_.begin() + here - line_begin) + 1;
    error_ = row_error(input_.name(), line_, column,
                       csv_error(&parser_) == CSV_EPARSE
                           ? "a quote inside a field (quote the whole field, and double its quotes)"
                           : csv_strerror(csv_error(&parser_)));
  }
  parsed_ += piece;
  unended_ += piece;
  if (unended_ > limits::kTupleBytesMax + kPieceBytes || row_.size() > limits::kTupleBytesMax) {
    fail_row(line_, "the row is too long (a quote that is never closed?)");
  }
  return Supply::kMore;
}

Result<Supply> CsvSource::fill(ChunkBuilder& chunk, std::uint64_t tuples_max) {
  while (!chunk.full() && chunk.tuples() < tuples_max) {
    if (next_row_ < row_ends_.size()) {
      const std::size_t begin = next_row_ == 0 ? 0 : row_ends_[next_row_ - 1];
      chunk.bytes().append(rows_, begin, row_ends_[next_row_] - begin);
      chunk.tuple_done();
      ++next_row_;
      continue;
    }
    rows_.clear();
    row_ends_.clear();
    next_row_ = 0;
    if (error_) return tl::make_unexpected(*error_);
    const auto state = read_on();
    if (!state) return state;
    if (*state != Supply::kMore && row_ends_.empty() && !error_) return state;
  }
  return Supply::kMore;
}

}  // namespace fanmill::producer
