// What must hold of an ipc path before a broker listens there. libzmq itself would remove whatever
// file it finds in its way, a live broker's socket included.
#pragma once

#include <string>

#include "proto/error.hpp"

namespace fanmill {

// Held while a socket is bound to a path: keeps other fanmill brokers off the directory.
class IpcBindGuard {
 public:
  // Refused: a path too long for a socket (kUsage); a directory that is missing or writable by
  // others, a file that is no socket, a live broker at the path (kSystem). A stale socket file
  // passes: binding replaces it.
  static Result<IpcBindGuard> make(const std::string& path);
  IpcBindGuard(IpcBindGuard&& other) noexcept;
  IpcBindGuard& operator=(IpcBindGuard&&) = delete;
  ~IpcBindGuard();

 private:
  explicit IpcBindGuard(int directory) : directory_(directory) {}
  int directory_;
};

// kUnreachable if nobody listens at the path.
Result<void> check_ipc_listener(const std::string& path);

}  // namespace fanmill
