// A CSV file (RFC 4180) whose first row names the parameters.
#pragma once

#include <csv.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "producer/input_fd.hpp"
#include "producer/source.hpp"
#include "producer/text_reader.hpp"

namespace fanmill::producer {

class CsvSource : public TupleSource {
 public:
  // Reads the header, and no row of data. kMalformedInput: no header, a name twice.
  static Result<std::unique_ptr<TupleSource>> make(InputFd input);
  ~CsvSource() override;

  void set_signature(const Signature& signature) override;
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  bool is_bounded() const override { return input_.is_regular_file(); }
  int wait_fd() const override { return input_.fd(); }
  std::vector<std::string> names() const override { return names_; }

 private:
  explicit CsvSource(InputFd input);
  Result<Supply> read_on();  // parses the next piece of input into rows_
  bool pass_byte_order_mark();
  void field(std::string_view text);
  void row_ended(int terminator);
  void take_header();
  void fail_row(std::uint64_t line, std::string reason);

  InputFd input_;
  csv_parser parser_{};
  std::string buffer_;
  std::size_t buffered_ = 0;
  std::size_t parsed_ = 0;
  bool at_start_ = true;
  std::size_t mark_bytes_ = 0;  // of the byte order mark, seen so far
  bool at_end_ = false;

  std::vector<std::string> names_;
  std::vector<TextReader> columns_;
  bool header_taken_ = false;

  // The row that is being read.
  std::string row_;
  std::size_t unended_ = 0;  // bytes read since the last field was complete
  std::size_t row_fields_ = 0;
  std::vector<std::string> header_;
  std::uint64_t line_ = 1;      // of the place reached
  bool after_cr_ = false;       // a '\n' next belongs to it
  std::uint64_t row_line_ = 1;  // where the row began

  // Tuples read and not yet taken, one behind the other.
  std::string rows_;
  std::vector<std::size_t> row_ends_;
  std::size_t next_row_ = 0;
  std::optional<Error> error_;  // comes after them
};

}  // namespace fanmill::producer
