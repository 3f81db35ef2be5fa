#include "producer/library/executor_path.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace fanmill::producer {
namespace {

bool runs(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<std::string> find_executor(const std::string& named, const std::string& installed) {
  // Whoever names one means that one.
  if (!named.empty()) {
    if (runs(named)) return named;
    return fail(ErrorCode::kSystem, "cannot execute " + named + " (PoolSettings::executor)");
  }
  if (const char* variable = std::getenv("FANMILL_EXECUTOR")) {
    if (runs(variable)) return std::string(variable);
    return fail(ErrorCode::kSystem,
                "cannot execute " + std::string(variable) + " (FANMILL_EXECUTOR)");
  }
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const std::string beside = (self.parent_path() / "fanmill-executor").string();
  if (runs(beside)) return beside;
  if (!installed.empty() && runs(installed)) return installed;
  return fail(ErrorCode::kSystem, "no fanmill-executor, neither at " + beside +
                                      (installed.empty() ? "" : " nor at " + installed) +
                                      "; name it by FANMILL_EXECUTOR or PoolSettings::executor");
}

}  // namespace fanmill::producer
