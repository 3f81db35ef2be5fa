#include "producer/json_source.hpp"

#include <utility>

#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kBufferBytes = 1 * limits::kMiB;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t last = line.find_last_not_of(kBlank);
  return last == std::string_view::npos ? std::string_view() : line.substr(0, last + 1);
}

}  // namespace

static_assert(LineReader::kPadding >= JsonTupleParser::kPadding);

JsonLinesSource::JsonLinesSource(InputFd input) : reader_(std::move(input), kBufferBytes) {}

void JsonLinesSource::set_signature(const Signature& signature) {
  if (!is_trivial(signature)) check_.emplace(signature);
}

Result<Supply> JsonLinesSource::fill(ChunkBuilder& chunk, std::uint64_t tuples_max) {
  while (!chunk.full() && chunk.tuples() < tuples_max) {
    std::string_view line;
    const auto got = reader_.next(line);
    if (!got || *got != Supply::kMore) return got;
    std::uint64_t before = 0;
    if (reader_.line() == 1 && line.starts_with(kByteOrderMark)) {
      before = kByteOrderMark.size();
      line.remove_prefix(before);
    }
    line = trimmed(line);
    if (line.empty()) continue;
    const std::size_t begin = chunk.bytes().size();
    if (const auto fault = parser_.append(chunk.bytes(), line)) {
      return tl::make_unexpected(
          row_error(reader_.input().name(), reader_.line(), fault->column + before, fault->reason));
    }
    if (check_) {
      if (const auto fault = (*check_)(std::string_view(chunk.bytes()).substr(begin))) {
        chunk.bytes().resize(begin);
        return tl::make_unexpected(
            row_error(reader_.input().name(), reader_.line(), 0, fault->message));
      }
    }
    chunk.tuple_done();
  }
  return Supply::kMore;
}

}  // namespace fanmill::producer
