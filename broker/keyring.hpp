// The broker's keys on disk, made at its first start: its own, and one for every role that may
// connect over TCP, each in a join file to be copied to where it is used.
#pragma once

#include <map>
#include <string>

#include "proto/address.hpp"
#include "proto/error.hpp"

namespace fanmill::broker {

inline constexpr const char* kWorkerRole = "worker";
inline constexpr const char* kProducerRole = "producer";

class Keyring {
 public:
  // Reads broker.key and the join files of `directory`, or makes what is not there: the directory
  // with mode 0700, files with 0600. kSystem and kMalformedInput name the file.
  static Result<Keyring> open(const std::string& directory);

  // Join files that say where the broker listens, which is known once it does.
  Result<void> write_join_files(const std::string& endpoint) const;
  std::string join_file(const std::string& role) const;

  const CurveKeys& broker() const { return broker_; }
  // By role.
  const std::map<std::string, CurveKeys>& roles() const { return roles_; }

 private:
  std::string directory_;
  CurveKeys broker_;
  std::map<std::string, CurveKeys> roles_;
};

// $XDG_STATE_HOME/fanmill, or ~/.local/state/fanmill; empty if neither variable is set.
std::string state_directory();

}  // namespace fanmill::broker
