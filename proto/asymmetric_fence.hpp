// Store-then-load on two sides, where one side runs per task and the other rarely (Dekker's
// protocol with an asymmetric fence, as in liburcu and folly). The frequent side keeps its order by
// light_fence(), which costs nothing; the rare one pays for both, by membarrier(2).
#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace fanmill::asymmetric {

// Between a relaxed store and a relaxed load; counts only against a heavy fence of the same kind,
// and only in a process that has registered for it.
inline void light_fence() { std::atomic_signal_fence(std::memory_order_seq_cst); }

namespace detail {
inline bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }
}  // namespace detail

// False: the kernel does not have it, or a filter forbids it.
inline bool register_for_own_threads() {
  return detail::membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}
inline bool register_for_other_processes() {
  return detail::membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
}

// Against the other threads of this process.
inline bool heavy_fence_for_own_threads() {
  return detail::membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
// Against every process that has registered.
inline bool can_fence_other_processes() {
  const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0;
}
inline void heavy_fence_for_other_processes() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  detail::membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

}  // namespace fanmill::asymmetric
