#include "producer/writers.hpp"

#include <fmt/format.h>

#include <ctime>
#include <iterator>
#include <utility>

#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

Result<void> append_json(std::string& out, std::string_view msgpack) {
  std::size_t at = 0;
  return append_json_from_msgpack(out, msgpack, at);
}

void append_json_text(std::string& out, std::string_view text) {
  fanmill::append_json(out, Value(text));
}

void append_seconds(std::string& out, std::uint64_t ns) {
  fmt::format_to(std::back_inserter(out), "{}.{:06}", ns / 1'000'000'000, ns / 1000 % 1'000'000);
}

constexpr char kNil = static_cast<char>(0xc0);

// The parameters as a command gets them, with spaces between.
Result<std::string> tag_of(std::string_view tuple) {
  std::size_t at = 0;
  const auto decoded = decode_msgpack(tuple, at);
  if (!decoded) return tl::make_unexpected(decoded.error());
  std::string tag;
  auto add = [&tag, first = true](const Value& value) mutable {
    if (!std::exchange(first, false)) tag += ' ';
    if (const auto* text = value.as<std::string>()) {
      tag += *text;
    } else if (const auto* bytes = value.as<Bytes>()) {
      tag += bytes->data;
    } else if (!value.is_null()) {
      fanmill::append_json(tag, value);
    }
  };
  if (const Array* const array = decoded->as<Array>()) {
    for (const Value& value : *array) add(value);
  } else if (const Map* const map = decoded->as<Map>()) {
    for (const auto& [name, value] : *map) add(value);
  }
  return tag;
}

// A last line without an end gets none.
void append_tagged(std::string& out, std::string_view tag, std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::size_t size = end == std::string_view::npos ? lines.size() : end + 1;
    out.append(tag).append(1, '\t').append(lines.substr(0, size));
    lines.remove_prefix(size);
  }
}

class ValuesWriter : public RowWriter {
 public:
  explicit ValuesWriter(const WriterOptions& options)
      : raw_(options.raw), command_(options.command), tag_(options.tag) {}

  Result<void> append(std::string& out, std::string& err, RowBatch& batch) override {
    if (tag_) return append_with_tags(out, err, batch);
    if (batch.only_values() && !raw_ && !command_) return append_values(out, batch);
    Row row;
    while (true) {
      const auto more = batch.next(row);
      if (!more) return tl::make_unexpected(more.error());
      if (!*more) return {};
      if (row.output != nullptr) {
        // A failed command's stdout is no result, and its stderr is told with the failure.
        if (row.failure == nullptr || !command_) out += row.output->out;
        if (row.failure == nullptr) err += row.output->err;
      }
      if (row.value.empty() || row.value.front() == kNil) continue;
      if (raw_ || command_) {
        if (const auto text = text_of(row.value)) {
          out += *text;
          if (!command_) out += '\n';
          continue;
        }
      }
      if (auto ok = append_json(out, row.value); !ok) return ok;
      out += '\n';
    }
  }

 private:
  // Of commands alone.
  static Result<void> append_with_tags(std::string& out, std::string& err, RowBatch& batch) {
    Row row;
    while (true) {
      const auto more = batch.next(row);
      if (!more) return tl::make_unexpected(more.error());
      if (!*more) return {};
      if (row.failure != nullptr) continue;
      const auto tag = tag_of(row.tuple);
      if (!tag) return tl::make_unexpected(tag.error());
      if (row.output != nullptr) append_tagged(err, *tag, row.output->err);
      if (const auto text = text_of(row.value)) append_tagged(out, *tag, *text);
    }
  }

  // The path of a million results: nothing but values in a row.
  static Result<void> append_values(std::string& out, const RowBatch& batch) {
    const std::string_view values = batch.values_left();
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < batch.rows().count; ++i) {
      if (at < values.size() && values[at] == kNil) {
        ++at;
        continue;
      }
      if (auto ok = append_json_from_msgpack(out, values, at); !ok) return ok;
      out += '\n';
    }
    return {};
  }

  const bool raw_;
  const bool command_;
  const bool tag_;
};

// The facts of a row that jsonl and csv share.
struct Facts {
  const Rows& rows;
  const Row& row;
  std::string_view captured_out() const {
    return row.output == nullptr ? std::string_view() : row.output->out;
  }
  std::string_view captured_err() const {
    return row.output == nullptr ? std::string_view() : row.output->err;
  }
  bool ran() const { return rows.outcome != Outcome::kCancelled && rows.attempt > 0; }
  std::string_view error() const {
    return row.failure == nullptr ? std::string_view() : row.failure->message;
  }
  // Of a command: 0 where it succeeded.
  std::optional<int> exit_code(bool command) const {
    if (row.failure != nullptr && row.failure->exit_code >= 0) return row.failure->exit_code;
    if (command && rows.outcome == Outcome::kSucceeded) return 0;
    return {};
  }
};

class JsonLinesWriter : public RowWriter {
 public:
  explicit JsonLinesWriter(const WriterOptions& options)
      : names_(options.names), command_(options.command) {}

  Result<void> append(std::string& out, std::string& /*err*/, RowBatch& batch) override {
    Row row;
    while (true) {
      const auto more = batch.next(row);
      if (!more) return tl::make_unexpected(more.error());
      if (!*more) return {};
      if (auto ok = append_row(out, {batch.rows(), row}); !ok) return ok;
    }
  }

 private:
  Result<void> append_row(std::string& out, const Facts& facts) {
    const auto at = std::back_inserter(out);
    fmt::format_to(at, "{{\"index\":{},\"args\":", facts.row.index.value);
    if (auto ok = append_args(out, facts.row.tuple); !ok) return ok;
    out += ",\"value\":";
    if (facts.row.value.empty()) {
      out += "null";
    } else if (auto ok = append_json(out, facts.row.value); !ok) {
      return ok;
    }
    fmt::format_to(at, ",\"status\":\"{}\",\"cause\":", status_name(facts.rows));
    append_text_or_null(out, cause_name(facts.rows.outcome));
    out += ",\"error\":";
    append_text_or_null(out, facts.error());
    fmt::format_to(at, ",\"attempt\":{},\"worker\":", facts.rows.attempt);
    append_text_or_null(out, facts.rows.worker);
    out += ",\"start\":";
    if (facts.ran() && facts.row.start_unix_us > 0) {
      out += '"';
      append_iso_time(out, facts.row.start_unix_us);
      out += "\",\"run_s\":";
      append_seconds(out, facts.row.run_ns);
    } else {
      out += "null,\"run_s\":null";
    }
    out += ",\"exit_code\":";
    if (const auto code = facts.exit_code(command_)) {
      fmt::format_to(at, "{}", *code);
    } else {
      out += "null";
    }
    out += ",\"stdout\":";
    append_json_text(out, facts.captured_out());
    out += ",\"stderr\":";
    append_json_text(out, facts.captured_err());
    out += "}\n";
    return {};
  }

  // With names: an object, as if every row had been given as one.
  Result<void> append_args(std::string& out, std::string_view tuple) {
    if (tuple.empty()) {
      out += "null";
      return {};
    }
    if (names_.empty()) return append_json(out, tuple);
    std::size_t at = 0;
    const auto decoded = decode_msgpack(tuple, at);
    if (!decoded) return tl::make_unexpected(decoded.error());
    const Array* const elements = decoded->as<Array>();
    if (elements == nullptr || elements->size() != names_.size()) return append_json(out, tuple);
    out += '{';
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (i > 0) out += ',';
      append_json_text(out, names_[i]);
      out += ':';
      fanmill::append_json(out, (*elements)[i]);
    }
    out += '}';
    return {};
  }

  static void append_text_or_null(std::string& out, std::string_view text) {
    if (text.empty()) {
      out += "null";
    } else {
      append_json_text(out, text);
    }
  }

  const std::vector<std::string> names_;
  const bool command_;
};

class CsvWriter : public RowWriter {
 public:
  explicit CsvWriter(const WriterOptions& options)
      : names_(options.names), command_(options.command), columns_known_(!names_.empty()) {}

  Result<void> append(std::string& out, std::string& /*err*/, RowBatch& batch) override {
    Row row;
    while (true) {
      const auto more = batch.next(row);
      if (!more) return tl::make_unexpected(more.error());
      if (!*more) return {};
      if (auto ok = append_row(out, {batch.rows(), row}); !ok) return ok;
    }
  }

  void finish(std::string& out) override { append_header(out); }
  std::uint64_t parameters_left_out() const override { return left_out_; }

 private:
  Result<void> append_row(std::string& out, const Facts& facts) {
    Value tuple;
    if (!facts.row.tuple.empty()) {
      std::size_t at = 0;
      auto decoded = decode_msgpack(facts.row.tuple, at);
      if (!decoded) return tl::make_unexpected(decoded.error());
      tuple = std::move(*decoded);
    }
    if (!columns_known_ && !facts.row.tuple.empty()) learn_columns(tuple);
    append_header(out);
    fmt::format_to(std::back_inserter(out), "{}", facts.row.index.value);
    append_parameters(out, tuple);
    out += ',';
    if (!facts.row.value.empty()) {
      if (auto ok = append_value(out, facts.row.value); !ok) return ok;
    }
    out += ',';
    out += status_name(facts.rows);
    out += ',';
    out += cause_name(facts.rows.outcome);
    out += ',';
    append_csv_field(out, facts.error());
    fmt::format_to(std::back_inserter(out), ",{},", facts.rows.attempt);
    append_csv_field(out, facts.rows.worker);
    out += ',';
    if (facts.ran() && facts.row.start_unix_us > 0) {
      append_iso_time(out, facts.row.start_unix_us);
      out += ',';
      append_seconds(out, facts.row.run_ns);
    } else {
      out += ',';
    }
    out += ',';
    if (const auto code = facts.exit_code(command_)) {
      fmt::format_to(std::back_inserter(out), "{}", *code);
    }
    out += ',';
    append_csv_field(out, facts.captured_out());
    out += ',';
    append_csv_field(out, facts.captured_err());
    out += '\n';
    return {};
  }

  // The first row decides where the input has no header.
  void learn_columns(const Value& tuple) {
    if (const Map* const map = tuple.as<Map>()) {
      for (const auto& [key, value] : *map) {
        const auto* const name = key.as<std::string>();
        names_.push_back(name != nullptr ? *name : std::string());
      }
    } else if (const Array* const array = tuple.as<Array>()) {
      for (std::size_t i = 0; i < array->size(); ++i) names_.push_back(fmt::format("arg{}", i + 1));
    }
    columns_known_ = true;
  }

  void append_header(std::string& out) {
    if (header_written_) return;
    header_written_ = true;
    out += "index";
    for (const std::string& name : names_) {
      out += ',';
      append_csv_field(out, name);
    }
    out += ",value,status,cause,error,attempt,worker,start,run_s,exit_code,stdout,stderr\n";
  }

  void append_parameters(std::string& out, const Value& tuple) {
    const Map* const map = tuple.as<Map>();
    const Array* const array = tuple.as<Array>();
    std::size_t placed = 0;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      out += ',';
      const Value* value = nullptr;
      if (array != nullptr && i < array->size()) value = &(*array)[i];
      if (map != nullptr) {
        for (const auto& [key, candidate] : *map) {
          const auto* const name = key.as<std::string>();
          if (name != nullptr && *name == names_[i]) value = &candidate;
        }
      }
      if (value == nullptr) continue;
      ++placed;
      append_value(out, *value);
    }
    const std::size_t given = array != nullptr ? array->size() : map != nullptr ? map->size() : 0;
    if (given > placed) left_out_ += given - placed;
  }

  static void append_value(std::string& out, const Value& value) {
    if (value.is_null()) return;
    if (const auto* const text = value.as<std::string>()) {
      append_csv_field(out, *text);
      return;
    }
    std::string json;
    fanmill::append_json(json, value);
    append_csv_field(out, json);
  }

  Result<void> append_value(std::string& out, std::string_view msgpack) const {
    if (msgpack.front() == kNil) return {};
    if (auto text = text_of(msgpack)) {
      if (command_ && text->ends_with('\n')) text->remove_suffix(1);
      append_csv_field(out, *text);
      return {};
    }
    std::string json;
    if (auto ok = append_json(json, msgpack); !ok) return ok;
    append_csv_field(out, json);
    return {};
  }

  std::vector<std::string> names_;
  const bool command_;
  bool columns_known_;
  bool header_written_ = false;
  std::uint64_t left_out_ = 0;
};

}  // namespace

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

void append_iso_time(std::string& out, std::int64_t unix_us) {
  const std::time_t seconds = unix_us / 1'000'000;
  std::tm utc{};
  if (gmtime_r(&seconds, &utc) == nullptr) return;
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                 utc.tm_sec, unix_us % 1'000'000);
}

std::unique_ptr<RowWriter> make_writer(const WriterOptions& options) {
  switch (options.format) {
    case OutputFormat::kValues:
      return std::make_unique<ValuesWriter>(options);
    case OutputFormat::kJsonLines:
      return std::make_unique<JsonLinesWriter>(options);
    case OutputFormat::kCsv:
      return std::make_unique<CsvWriter>(options);
  }
  return nullptr;
}

}  // namespace fanmill::producer
