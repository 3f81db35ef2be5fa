// The ipc socket that a broker listens at. It is made here and handed to libzmq, which by itself
// would remove whatever file is in its way, a live broker's socket included.
#pragma once

#include <sys/types.h>

#include <string>

#include "proto/error.hpp"

namespace fanmill {

// A listening socket of mode 0600; its file is removed with the object, unless it is another's by
// then.
class IpcListener {
 public:
  // Refused: a path too long for a socket (kUsage); a directory that is missing or writable by
  // others, a file that is no socket, a live broker at the path (kSystem). The socket file of a
  // dead broker is replaced.
  static Result<IpcListener> make(const std::string& path);
  IpcListener(IpcListener&& other) noexcept;
  IpcListener& operator=(IpcListener&&) = delete;
  ~IpcListener();

  // The descriptor, which from now on is the caller's to close.
  int release();

 private:
  IpcListener(std::string name, int directory) : name_(std::move(name)), directory_(directory) {}
  std::string name_;  // of the file in its directory
  int directory_;
  int socket_ = -1;
  dev_t device_ = 0;  // of the file, once it exists
  ino_t inode_ = 0;
};

// kUsage: longer than the system allows for a socket.
Result<void> check_ipc_path(const std::string& path);

// kUnreachable if nobody listens at the path.
Result<void> check_ipc_listener(const std::string& path);

}  // namespace fanmill
