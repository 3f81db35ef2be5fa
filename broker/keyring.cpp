#include "broker/keyring.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "proto/curve_keys.hpp"
#include "proto/join_file.hpp"
#include "proto/private_file.hpp"

namespace fanmill::broker {
namespace {

constexpr std::size_t kKeyFileBytesMax = 256;

Result<CurveKeys> broker_keys(const std::string& path) {
  auto text = read_private_file(path, kKeyFileBytesMax);
  if (!text) {
    if (text.error().code != ErrorCode::kNotFound) return tl::make_unexpected(text.error());
    CurveKeys keys = make_curve_keys();
    const auto written = write_private_file(path, keys.secret_key + "\n");
    if (!written) return tl::make_unexpected(written.error());
    return keys;
  }
  if (!text->empty() && text->back() == '\n') text->pop_back();
  auto keys = keys_of_secret(*text);
  if (keys) return keys;
  return fail(ErrorCode::kMalformedInput,
              path +
                  " holds no key; if it is lost, remove it: the broker then makes another, and "
                  "every join file has to be copied again");
}

// Of the join file of a role, if it was made with the broker's key of today.
Result<CurveKeys> role_keys(const std::string& path, const std::string& role,
                            const std::string& server_key) {
  const auto file = read_join_file(path, role);
  if (file) {
    return file->address.server_key == server_key ? file->address.keys : make_curve_keys();
  }
  if (file.error().code == ErrorCode::kNotFound) return make_curve_keys();
  return tl::make_unexpected(file.error());
}

}  // namespace

Result<Keyring> Keyring::open(const std::string& directory) {
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) {
    std::filesystem::create_directories(directory, error);
    if (!error) ::chmod(directory.c_str(), 0700);
  }
  if (error) {
    return fail(ErrorCode::kSystem, "cannot make the directory " + directory + " for keys: " +
                                        error.message() + "; choose another with --keys");
  }
  Keyring keyring;
  keyring.directory_ = directory;
  auto own = broker_keys(directory + "/broker.key");
  if (!own) return tl::make_unexpected(own.error());
  keyring.broker_ = std::move(*own);
  for (const std::string role : {kWorkerRole, kProducerRole}) {
    auto keys = role_keys(keyring.join_file(role), role, keyring.broker_.public_key);
    if (!keys) return tl::make_unexpected(keys.error());
    keyring.roles_[role] = std::move(*keys);
  }
  return keyring;
}

std::string Keyring::join_file(const std::string& role) const {
  return directory_ + "/" + role + ".join";
}

Result<void> Keyring::write_join_files(const std::string& endpoint) const {
  for (const auto& [role, keys] : roles_) {
    JoinFile file;
    file.role = role;
    file.address.endpoint = endpoint;
    file.address.server_key = broker_.public_key;
    file.address.keys = keys;
    if (const auto written = write_join_file(join_file(role), file); !written) return written;
  }
  return {};
}

std::string state_directory() {
  const auto of = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string state = of("XDG_STATE_HOME"); !state.empty()) return state + "/fanmill";
  if (const std::string home = of("HOME"); !home.empty()) return home + "/.local/state/fanmill";
  return {};
}

}  // namespace fanmill::broker
