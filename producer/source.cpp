#include "producer/source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "producer/combined_source.hpp"
#include "producer/csv_source.hpp"
#include "producer/json_source.hpp"
#include "producer/range.hpp"
#include "producer/values.hpp"

namespace fanmill::producer {
namespace {

enum class Format : std::uint8_t { kJsonLines, kCsv, kUnknown };

Format format_of(std::string_view path) {
  for (const std::string_view ending : {".jsonl", ".ndjson", ".jsonlines"}) {
    if (path.ends_with(ending)) return Format::kJsonLines;
  }
  if (path.ends_with(".csv")) return Format::kCsv;
  // `<(command)` of a shell, /dev/stdin and their like are streams of JSON lines, as `-` is.
  if (path.starts_with("/dev/") || path.starts_with("/proc/")) return Format::kJsonLines;
  return Format::kUnknown;
}

Result<InputFd> open_input(const std::string& path) {
  if (path == "-") return InputFd(STDIN_FILENO, "stdin");
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail(ErrorCode::kUsage,
                fmt::format("cannot open the input \"{}\": {}", path, strerror(errno)));
  }
  InputFd input(fd, path);
  struct stat status{};
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(
        ErrorCode::kUsage,
        fmt::format("the input \"{}\" is a directory; for its files: ::: {}/*", path, path));
  }
  return input;
}

Result<std::unique_ptr<TupleSource>> open_path(const std::string& path) {
  auto input = open_input(path);
  if (!input) return tl::make_unexpected(input.error());
  switch (path == "-" ? Format::kJsonLines : format_of(path)) {
    case Format::kJsonLines:
      return std::make_unique<JsonLinesSource>(std::move(*input));
    case Format::kCsv:
      return CsvSource::make(std::move(*input));
    case Format::kUnknown:
      break;
  }
  return fail(ErrorCode::kUsage,
              fmt::format("cannot tell what \"{}\" holds: its name should end in .jsonl (JSON "
                          "lines) or .csv (with a header); JSON lines of any name: - < {}; every "
                          "line as a text: --lines {}",
                          path, path, path));
}

Result<std::unique_ptr<TupleSource>> open_lines(const std::string& path, char line_end) {
  auto input = open_input(path);
  if (!input) return tl::make_unexpected(input.error());
  std::vector<CombinedSource::Part> parts;
  parts.push_back(
      {std::make_unique<LineValues>(std::move(*input), TextReader::Untyped::kText, line_end)});
  return CombinedSource::make(std::move(parts));
}

const char* mark_of(const ValueSpec& list) {
  if (list.files) return list.linked ? "::::+" : "::::";
  return list.linked ? ":::+" : ":::";
}

Result<std::unique_ptr<TupleSource>> open_values(const InputSpec& spec) {
  std::vector<CombinedSource::Part> parts;
  for (const std::string& text : spec.ranges) {
    auto range = parse_range(text);
    if (!range) return tl::make_unexpected(range.error());
    parts.push_back({std::make_unique<RangeValues>(std::move(*range))});
  }
  bool stdin_taken = false;
  for (std::size_t i = 0; i < spec.lists.size(); ++i) {
    const ValueSpec& list = spec.lists[i];
    const char* const mark = mark_of(list);
    if (list.words.empty()) {
      return fail(ErrorCode::kUsage,
                  fmt::format("`{}`, list number {}, {}", mark, i + 1,
                              list.files ? "names no file; `-` is stdin" : "has no values"));
    }
    if (list.linked && parts.empty()) {
      return fail(ErrorCode::kUsage,
                  fmt::format("`{}` goes in step with the source before it, and there is none; the "
                              "first one is `{}`",
                              mark, list.files ? "::::" : ":::"));
    }
    if (!list.files) {
      parts.push_back({std::make_unique<ListedValues>(list.words), list.linked});
      continue;
    }
    for (const std::string& path : list.words) {
      if (path == "-" && std::exchange(stdin_taken, true)) {
        return fail(ErrorCode::kUsage,
                    "stdin (`-`) is named twice behind `::::`; it can be read only once");
      }
      auto input = open_input(path);
      if (!input) return tl::make_unexpected(input.error());
      parts.push_back({std::make_unique<LineValues>(std::move(*input),
                                                    TextReader::Untyped::kGuessed, spec.line_end),
                       list.linked});
    }
  }
  return CombinedSource::make(std::move(parts));
}

}  // namespace

Result<std::unique_ptr<TupleSource>> open_source(const InputSpec& spec) {
  const bool has_values = !spec.lists.empty() || !spec.ranges.empty();
  const char* const which = spec.lists.empty() ? "--range" : "lists behind `:::`";
  if (spec.path && has_values) {
    return fail(ErrorCode::kUsage, fmt::format("both an input ({}) and {} are given; tuples come "
                                               "from one of them (lines of a file go with lists "
                                               "behind `::::`)",
                                               *spec.path, which));
  }
  if (spec.lines && has_values) {
    return fail(ErrorCode::kUsage,
                fmt::format("both --lines and {} are given; lines of a file or of stdin (`-`) go "
                            "with other sources behind `::::`",
                            which));
  }
  if (spec.lines) return open_lines(spec.path.value_or("-"), spec.line_end);
  if (has_values) return open_values(spec);
  if (!spec.path) {
    return fail(ErrorCode::kUsage,
                "no input: name FILE.jsonl, FILE.csv or - (JSON lines on stdin), or list values "
                "behind `:::`, or count with --range n=1..10");
  }
  return open_path(*spec.path);
}

}  // namespace fanmill::producer
