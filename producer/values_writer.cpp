#include <utility>

#include "producer/writers.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

constexpr char kNil = static_cast<char>(0xc0);

Result<void> append_json(std::string& out, std::string_view msgpack) {
  std::size_t at = 0;
  return append_json_from_msgpack(out, msgpack, at);
}

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

}  // namespace

std::unique_ptr<RowWriter> make_values_writer(const WriterOptions& options) {
  return std::make_unique<ValuesWriter>(options);
}

}  // namespace fanmill::producer
