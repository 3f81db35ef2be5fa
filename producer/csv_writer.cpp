#include <algorithm>
#include <cmath>
#include <utility>

#include "producer/row_cells.hpp"
#include "producer/writers.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

// JSON has no such numbers, but whoever reads CSV does: "nan", "inf", "-inf"; empty of all else.
std::string_view no_number(std::string_view msgpack) {
  constexpr char kDouble = static_cast<char>(0xcb);
  if (msgpack.front() != kDouble) return {};
  std::size_t at = 0;
  const auto value = decode_msgpack(msgpack, at);
  const double* const number = value ? value->as<double>() : nullptr;
  if (number == nullptr || std::isfinite(*number)) return {};
  if (std::isnan(*number)) return "nan";
  return *number > 0 ? "inf" : "-inf";
}

class CsvWriter : public RowWriter {
 public:
  explicit CsvWriter(const WriterOptions& options)
      : columns_(options.columns.empty() ? all_columns() : options.columns),
        command_(options.command),
        cells_(options.command),
        header_written_(!options.header) {
    for (std::size_t i = 0; i < options.names.size(); ++i) {
      parameters_.push_back(parameter_column(i, options.names));
    }
    parameters_known_ = !parameters_.empty();
  }

  Result<void> append(std::string& out, std::string& /*err*/, RowBatch& batch) override {
    Row row;
    while (true) {
      const auto more = batch.next(row);
      if (!more) return tl::make_unexpected(more.error());
      if (!*more) return {};
      cells_.take(batch.rows(), row);
      if (!parameters_known_ && !row.tuple.empty()) learn_parameters();
      append_header(out);
      if (auto ok = append_row(out); !ok) return ok;
    }
  }

  void finish(std::string& out) override { append_header(out); }
  std::uint64_t parameters_left_out() const override { return left_out_; }

 private:
  // The first row decides where the input has no header.
  void learn_parameters() {
    const auto& found = cells_.parameters();
    for (std::size_t i = 0; i < found.size(); ++i) {
      Column column = parameter_column(i, {});
      if (!cells_.is_positional()) column.name = column.parameter = found[i].name;
      parameters_.push_back(std::move(column));
    }
    parameters_known_ = true;
  }

  // Calls `take` for every column, with the parameters each as their own.
  template <class Take>
  Result<void> each_column(Take take) {
    for (const Column& column : columns_) {
      if (column.fact != RowFact::kParams) {
        if (auto ok = take(column); !ok) return ok;
        continue;
      }
      for (const Column& parameter : parameters_) {
        if (auto ok = take(parameter); !ok) return ok;
      }
      all_parameters_ = true;
    }
    return {};
  }

  void append_header(std::string& out) {
    if (std::exchange(header_written_, true)) return;
    bool first = true;
    (void)each_column([&](const Column& column) -> Result<void> {
      if (!std::exchange(first, false)) out += ',';
      append_csv_field(out, header_of(column));
      return {};
    });
    out += '\n';
  }

  Result<void> append_row(std::string& out) {
    bool first = true;
    std::size_t placed = 0;
    auto ok = each_column([&](const Column& column) -> Result<void> {
      if (!std::exchange(first, false)) out += ',';
      const Cell cell = cells_.cell(column);
      if (column.fact == RowFact::kParam && cell.kind != Cell::Kind::kNothing) ++placed;
      return append_cell(out, column, cell);
    });
    if (!ok) return ok;
    out += '\n';
    if (all_parameters_) {
      const std::size_t given = cells_.parameters().size();
      left_out_ += given - std::min(given, placed);
    }
    return {};
  }

  Result<void> append_cell(std::string& out, const Column& column, const Cell& cell) {
    switch (cell.kind) {
      case Cell::Kind::kNothing:
        return {};
      case Cell::Kind::kNumber:
      case Cell::Kind::kWord:
        out += cell.bytes;
        return {};
      case Cell::Kind::kText:
        append_csv_field(out, cell.bytes);
        return {};
      case Cell::Kind::kValue:
        break;
    }
    constexpr char kNil = static_cast<char>(0xc0);
    if (cell.bytes.front() == kNil) return {};
    if (auto text = text_of(cell.bytes)) {
      if (column.fact == RowFact::kValue && command_ && text->ends_with('\n')) {
        text->remove_suffix(1);
      }
      append_csv_field(out, *text);
      return {};
    }
    if (const std::string_view word = no_number(cell.bytes); !word.empty()) {
      out += word;
      return {};
    }
    json_.clear();
    std::size_t at = 0;
    if (auto ok = append_json_from_msgpack(json_, cell.bytes, at); !ok) return ok;
    append_csv_field(out, json_);
    return {};
  }

  const std::vector<Column> columns_;
  const bool command_;
  RowCells cells_;
  std::vector<Column> parameters_;  // what kParams stands for
  bool parameters_known_ = false;
  bool all_parameters_ = false;
  bool header_written_;
  std::uint64_t left_out_ = 0;
  std::string json_;
};

}  // namespace

std::unique_ptr<RowWriter> make_csv_writer(const WriterOptions& options) {
  return std::make_unique<CsvWriter>(options);
}

void append_csv_field(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace fanmill::producer
