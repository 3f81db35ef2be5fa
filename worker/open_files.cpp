#include "worker/open_files.hpp"

#include <algorithm>
#include <string>

namespace fanmill::worker {

Result<std::optional<rlimit>> allow_files_of(std::uint32_t slots) {
  rlimit before{};
  const rlim_t wanted = kFilesPerSlot * slots + kFilesBeside;
  if (getrlimit(RLIMIT_NOFILE, &before) != 0 || before.rlim_cur >= wanted) return std::nullopt;
  rlimit raised = before;
  raised.rlim_cur = wanted;
  if (wanted <= before.rlim_max && setrlimit(RLIMIT_NOFILE, &raised) == 0) return before;
  const rlim_t most = std::max<rlim_t>(before.rlim_max, kFilesBeside + kFilesPerSlot);
  return fail(ErrorCode::kUsage,
              std::to_string(slots) + " slots need " + std::to_string(wanted) +
                  " open files, and here are at most " + std::to_string(before.rlim_max) +
                  " (ulimit -Hn); take at most " +
                  std::to_string((most - kFilesBeside) / kFilesPerSlot) + " slots");
}

}  // namespace fanmill::worker
