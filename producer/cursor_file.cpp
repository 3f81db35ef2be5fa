#include "producer/cursor_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "producer/console.hpp"
#include "producer/fd.hpp"

namespace fanmill::producer {

Result<std::optional<OutputCursor>> CursorFile::load() const {
  std::ifstream file(path_, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::nullopt;
    return fail(ErrorCode::kUsage, "cannot read \"" + path_ + "\": " + strerror(errno));
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto json = nlohmann::json::parse(text, nullptr, false);
  OutputCursor cursor;
  try {
    cursor.job = json.at("job").get<std::string>();
    cursor.form = json.at("form").get<std::string>();
    cursor.cursor = json.at("cursor").get<std::uint64_t>();
    cursor.bytes = json.at("bytes").get<std::uint64_t>();
    cursor.rounds = json.value("rounds", std::uint64_t{1});
  } catch (const nlohmann::json::exception&) {
    return fail(ErrorCode::kUsage,
                "\"" + path_ + "\" does not say how far an output is; remove it to begin anew");
  }
  return cursor;
}

Result<void> CursorFile::save(const OutputCursor& cursor) const {
  const nlohmann::json json{{"job", cursor.job},
                            {"form", cursor.form},
                            {"cursor", cursor.cursor},
                            {"bytes", cursor.bytes},
                            {"rounds", cursor.rounds}};
  const std::string text = json.dump() + '\n';
  const std::string next = path_ + ".next";
  const auto failed = [&](int error_number) {
    return fail(ErrorCode::kSystem,
                "cannot write \"" + path_ + "\": " + std::string(strerror(error_number)));
  };
  Fd fd(open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (fd.get() < 0) return failed(errno);
  if (const int error_number = write_all(fd.get(), text)) return failed(error_number);
  if (fdatasync(fd.get()) != 0) return failed(errno);
  if (const int error_number = fd.close_now()) return failed(error_number);
  if (std::rename(next.c_str(), path_.c_str()) != 0) return failed(errno);
  return {};
}

void CursorFile::remove() const { ::unlink(path_.c_str()); }

}  // namespace fanmill::producer
