#include "producer/commands/output_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

namespace fanmill::producer {
namespace {

constexpr const char* kStandardStream = "-";

// Of a regular file, for two writers of a pipe or a terminal do no harm.
std::optional<struct stat> file_at(const std::string& path, int stream) {
  struct stat status{};
  const int error = path == kStandardStream ? fstat(stream, &status) : stat(path.c_str(), &status);
  if (error != 0 || !S_ISREG(status.st_mode)) return {};
  return status;
}

bool is_input(const std::string& output, const InputSpec& input) {
  const auto written = file_at(output, STDOUT_FILENO);
  if (!written) return false;
  const auto is_written = [&](const std::string& path) {
    const auto read = file_at(path, STDIN_FILENO);
    return read && read->st_dev == written->st_dev && read->st_ino == written->st_ino;
  };
  if (is_written(input.lines ? input.path.value_or(kStandardStream) : input.path.value_or(""))) {
    return true;
  }
  return std::ranges::any_of(input.lists, [&](const ValueSpec& list) {
    return list.files && std::ranges::any_of(list.words, is_written);
  });
}

std::filesystem::path whole_path(const std::string& path) {
  std::error_code unknown;
  return std::filesystem::weakly_canonical(std::filesystem::absolute(path, unknown), unknown);
}

// Also of files that are not there yet.
bool are_one_file(const std::string& one, const std::string& other) {
  if (one == kStandardStream || other == kStandardStream) return false;
  const auto there = file_at(one, -1);
  const auto other_there = file_at(other, -1);
  if (there && other_there) {
    return there->st_dev == other_there->st_dev && there->st_ino == other_there->st_ino;
  }
  std::error_code unknown;
  return !std::filesystem::exists(one, unknown) && !std::filesystem::exists(other, unknown) &&
         whole_path(one) == whole_path(other);
}

Error is_input_too(const std::string& what) {
  return {ErrorCode::kUsage,
          what + " is the input too, which would be lost; write to another file"};
}

}  // namespace

Result<void> check_output_files(const OutputFiles& files, const InputSpec& input) {
  const std::string results = files.results.empty() ? kStandardStream : files.results;
  if (is_input(results, input)) {
    return tl::make_unexpected(
        is_input_too(results == kStandardStream ? "stdout" : "-o " + results));
  }
  if (!files.journal.empty() && are_one_file(results, files.journal)) {
    return fail(ErrorCode::kUsage,
                "-o " + results + " and --journal name the same file; give each its own");
  }
  if (files.job_log.empty()) return {};
  const std::string log = files.job_log.substr(files.job_log.starts_with('+') ? 1 : 0);
  if (is_input(log, input)) return tl::make_unexpected(is_input_too("--joblog " + log));
  if (!files.journal.empty() && are_one_file(log, files.journal)) {
    return fail(ErrorCode::kUsage, "--joblog and --journal name the same file; give each its own");
  }
  if (are_one_file(results, log)) {
    return fail(ErrorCode::kUsage,
                "-o " + results + " and --joblog name the same file; give each its own");
  }
  return {};
}

}  // namespace fanmill::producer
