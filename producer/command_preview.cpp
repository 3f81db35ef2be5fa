#include "producer/command_preview.hpp"

#include <poll.h>

#include <optional>

#include "proto/command_line.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

Result<std::string> lines_of(const ChunkBuilder::Chunk& chunk, const CommandLine& command,
                             const std::vector<std::string>& names, std::uint64_t first) {
  std::string lines;
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < chunk.tuples; ++i) {
    TupleView tuple;
    if (auto ok = cut_tuple(chunk.bytes, at, tuple); !ok) return tl::make_unexpected(ok.error());
    const auto task = TaskText::of(tuple, names, TaskIndex{first + i}, 0);
    if (!task) return tl::make_unexpected(task.error());
    const auto line = command.line(*task);
    if (!line) return tl::make_unexpected(line.error());
    lines += *line + "\n";
  }
  return lines;
}

}  // namespace

Result<std::uint64_t> preview_commands(TupleSource& source, const JobSpec& spec,
                                       const std::function<bool(const std::string& lines)>& show) {
  const CommandLine command(spec);
  const auto names = source.names();
  std::uint64_t count = 0;
  ChunkBuilder builder;
  while (true) {
    const auto supply = source.fill(builder, limits::kChunkTuplesMax);
    const ChunkBuilder::Chunk chunk = builder.take();
    const auto lines = lines_of(chunk, command, names, count);
    if (!lines) return tl::make_unexpected(lines.error());
    count += chunk.tuples;
    if (!lines->empty() && !show(*lines)) return count;
    if (!supply) return tl::make_unexpected(supply.error());
    if (*supply == Supply::kEnd) return count;
    if (*supply == Supply::kNothingNow) {
      pollfd ready{.fd = source.wait_fd(), .events = POLLIN, .revents = 0};
      poll(&ready, 1, -1);
    }
  }
}

}  // namespace fanmill::producer
