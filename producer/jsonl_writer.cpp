#include <algorithm>
#include <utility>

#include "producer/row_cells.hpp"
#include "producer/writers.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

void append_text(std::string& out, std::string_view text) {
  const bool plain = std::ranges::all_of(
      text, [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; });
  if (plain) {
    out.append(1, '"').append(text).append(1, '"');
  } else {
    append_json(out, Value(text));
  }
}

Result<void> append_value(std::string& out, std::string_view msgpack) {
  std::size_t at = 0;
  return append_json_from_msgpack(out, msgpack, at);
}

class JsonLinesWriter : public RowWriter {
 public:
  explicit JsonLinesWriter(const WriterOptions& options)
      : columns_(options.columns.empty() ? all_columns() : options.columns),
        names_(options.names),
        command_(options.command),
        cells_(options.command) {
    for (const Column& column : columns_) {
      std::string key = keys_.empty() ? "{" : ",";
      append_text(key, column.name);
      keys_.push_back(key + ":");
    }
  }

  Result<void> append(std::string& out, std::string& /*err*/, RowBatch& batch) override {
    Row row;
    while (true) {
      const auto more = batch.next(row);
      if (!more) return tl::make_unexpected(more.error());
      if (!*more) return {};
      cells_.take(batch.rows(), row);
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        out += keys_[i];
        if (auto ok = append_cell(out, columns_[i]); !ok) return ok;
      }
      out += "}\n";
    }
  }

 private:
  Result<void> append_cell(std::string& out, const Column& column) {
    if (column.fact == RowFact::kParams && has_names()) return append_named(out);
    const Cell cell = cells_.cell(column);
    switch (cell.kind) {
      case Cell::Kind::kNothing:
        out += "null";
        break;
      case Cell::Kind::kNumber:
        out += cell.bytes;
        break;
      case Cell::Kind::kWord:
        out.append(1, '"').append(cell.bytes).append(1, '"');
        break;
      case Cell::Kind::kText:
        append_text(out, cell.bytes);
        break;
      case Cell::Kind::kValue:
        // What a command printed is text, also where not all of it is UTF-8.
        if (const auto text = text_of(cell.bytes);
            text && command_ && column.fact == RowFact::kValue) {
          append_text(out, *text);
          return {};
        }
        return append_value(out, cell.bytes);
    }
    return {};
  }

  // Whether the row's elements are those that the input names.
  bool has_names() {
    return !names_.empty() && cells_.is_positional() && cells_.parameters().size() == names_.size();
  }

  // An object, as if every row had been given as one.
  Result<void> append_named(std::string& out) {
    out += '{';
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (i > 0) out += ',';
      append_text(out, names_[i]);
      out += ':';
      if (auto ok = append_value(out, cells_.parameters()[i].value); !ok) return ok;
    }
    out += '}';
    return {};
  }

  const std::vector<Column> columns_;
  const std::vector<std::string> names_;
  const bool command_;
  std::vector<std::string> keys_;  // of each column, with what stands around it
  RowCells cells_;
};

}  // namespace

std::unique_ptr<RowWriter> make_json_lines_writer(const WriterOptions& options) {
  return std::make_unique<JsonLinesWriter>(options);
}

}  // namespace fanmill::producer
