// Rows as text: values, jsonl or csv. Formatting alone; producer/writer_thread.hpp writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "producer/row_batch.hpp"
#include "producer/row_columns.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

enum class OutputFormat : std::uint8_t { kValues, kJsonLines, kCsv };

struct WriterOptions {
  OutputFormat format = OutputFormat::kValues;
  bool raw = false;                // values: strings bare
  bool command = false;            // the value is a command's stdout
  bool tag = false;                // values: each line behind the task's parameters and a tab
  std::vector<std::string> names;  // of positional parameters, where the input names them
  std::vector<Column> columns;     // of jsonl and csv; empty: all
  bool header = true;              // csv: begin with it
};

class RowWriter {
 public:
  RowWriter() = default;
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;
  virtual ~RowWriter() = default;

  // Appends the rows of one batch to `out`, and captured stderr that belongs on our own stderr to
  // `err`.
  virtual Result<void> append(std::string& out, std::string& err, RowBatch& batch) = 0;
  // What belongs at the end of the output, or of an output without rows.
  virtual void finish(std::string& /*out*/) {}
  // Parameters that the columns of a CSV had no room for.
  virtual std::uint64_t parameters_left_out() const { return 0; }
};

std::unique_ptr<RowWriter> make_writer(const WriterOptions& options);
std::unique_ptr<RowWriter> make_values_writer(const WriterOptions& options);
std::unique_ptr<RowWriter> make_json_lines_writer(const WriterOptions& options);
std::unique_ptr<RowWriter> make_csv_writer(const WriterOptions& options);

// Appends a CSV field by RFC 4180: quoted only where it holds a comma, a quote or a line end.
void append_csv_field(std::string& out, std::string_view text);

}  // namespace fanmill::producer
