#include "producer/preview.hpp"

#include <poll.h>

#include <utility>

#include "proto/limits.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

Result<std::string> shown_tuple(const std::string& bytes, std::size_t& at,
                                const std::vector<std::string>& names) {
  std::string out;
  auto tuple = decode_msgpack(bytes, at);
  if (!tuple) return tl::make_unexpected(tuple.error());
  const Array* const elements = tuple->as<Array>();
  if (elements == nullptr || names.size() != elements->size() || names.empty()) {
    append_json(out, *tuple);
    return out;
  }
  Map named;
  for (std::size_t i = 0; i < names.size(); ++i) named.emplace_back(names[i], (*elements)[i]);
  append_json(out, Value(std::move(named)));
  return out;
}

}  // namespace

Preview preview(TupleSource& source, std::size_t shown) {
  Preview out;
  const auto names = source.names();
  std::uint64_t counted = 0;
  ChunkBuilder builder;
  while (true) {
    const bool showing = out.tuples.size() < shown;
    out.total = source.total();
    if (!showing && (out.total || !source.is_bounded())) return out;
    const auto supply =
        source.fill(builder, showing ? shown - out.tuples.size() : limits::kChunkTuplesMax);
    const ChunkBuilder::Chunk chunk = builder.take();
    counted += chunk.tuples;
    std::size_t at = 0;
    for (std::uint64_t i = 0; showing && i < chunk.tuples; ++i) {
      auto tuple = shown_tuple(chunk.bytes, at, names);
      if (!tuple) {
        out.error = tuple.error();
        return out;
      }
      out.tuples.push_back(std::move(*tuple));
    }
    if (!supply) {
      out.error = supply.error();
      return out;
    }
    if (*supply == Supply::kEnd) {
      out.total = counted;
      return out;
    }
    if (*supply == Supply::kNothingNow) {
      pollfd ready{.fd = source.wait_fd(), .events = POLLIN, .revents = 0};
      poll(&ready, 1, -1);
    }
  }
}

}  // namespace fanmill::producer
