#include "producer/source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "producer/csv_source.hpp"
#include "producer/json_source.hpp"
#include "producer/product_source.hpp"

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

Result<std::unique_ptr<TupleSource>> open_file(const std::string& path) {
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
  switch (format_of(path)) {
    case Format::kJsonLines:
      return std::make_unique<JsonLinesSource>(std::move(input));
    case Format::kCsv:
      return CsvSource::make(std::move(input));
    case Format::kUnknown:
      break;
  }
  return fail(ErrorCode::kUsage,
              fmt::format("cannot tell what \"{}\" holds: its name should end in .jsonl (JSON "
                          "lines) or .csv (with a header); JSON lines of any name: - < {}",
                          path, path));
}

}  // namespace

Result<std::unique_ptr<TupleSource>> open_source(const InputSpec& spec) {
  if (!spec.lists.empty()) return ProductSource::make(spec.lists);
  if (!spec.path) {
    return fail(ErrorCode::kUsage,
                "no input: name FILE.jsonl, FILE.csv or - (JSON lines on stdin), or list values "
                "behind `:::`");
  }
  if (*spec.path == "-") {
    return std::make_unique<JsonLinesSource>(InputFd(STDIN_FILENO, "stdin"));
  }
  return open_file(*spec.path);
}

}  // namespace fanmill::producer
