#include "proto/join_file.hpp"

#include <array>
#include <utility>

#include "proto/curve_keys.hpp"
#include "proto/private_file.hpp"

namespace fanmill {
namespace {

constexpr std::string_view kTitle = "# fanmill join file";
constexpr std::size_t kJoinFileBytesMax = 4096;
constexpr std::size_t kFields = 5;

// The fields in the order of the file.
std::array<std::pair<std::string_view, std::string*>, kFields> fields(JoinFile& file) {
  return {{{"role", &file.role},
           {"broker", &file.address.endpoint},
           {"broker-key", &file.address.server_key},
           {"public-key", &file.address.keys.public_key},
           {"secret-key", &file.address.keys.secret_key}}};
}

tl::unexpected<Error> malformed(const std::string& what) {
  return fail(ErrorCode::kMalformedInput, what);
}

Result<void> check_keys(const JoinFile& file) {
  if (!is_curve_key(file.address.server_key)) return malformed("broker-key is no key");
  const auto pair = keys_of_secret(file.address.keys.secret_key);
  if (!pair || *pair != file.address.keys) {
    return malformed("public-key and secret-key are no pair");
  }
  return {};
}

}  // namespace

std::string to_text(const JoinFile& file) {
  std::string text(kTitle);
  text += ": whoever has it may act as a " + file.role + " of this broker. Keep it secret.\n";
  JoinFile copy = file;
  for (const auto& [name, value] : fields(copy)) {
    text.append(name).append(" ").append(*value).append("\n");
  }
  return text;
}

Result<JoinFile> parse_join_file(std::string_view text) {
  if (!text.starts_with(kTitle)) return malformed("it does not begin with \"# fanmill join file\"");
  JoinFile file;
  const auto known = fields(file);
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.find(' ');
    const std::string_view name = line.substr(0, space);
    const std::string at = "line " + std::to_string(number) + ": ";
    std::string* value = nullptr;
    for (const auto& [known_name, place] : known) {
      if (name == known_name) value = place;
    }
    // Not shown: what stands there may be a secret.
    if (value == nullptr) return malformed(at + "not a field of a join file");
    if (space == std::string_view::npos) return malformed(at + std::string(name) + " has no value");
    if (!value->empty()) return malformed(at + std::string(name) + " stands there twice");
    *value = line.substr(space + 1);
  }
  for (const auto& [name, value] : known) {
    if (value->empty()) return malformed(std::string(name) + " is missing");
  }
  if (const auto checked = check_keys(file); !checked) {
    return tl::make_unexpected(checked.error());
  }
  return file;
}

Result<JoinFile> read_join_file(const std::string& path, std::string_view role) {
  auto text = read_private_file(path, kJoinFileBytesMax);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) {
      // A worker's may still be to come.
      const bool waits = role == "worker";
      return fail(
          ErrorCode::kNotFound,
          text.error().message +
              (waits ? "" : "; copy " + std::string(role) + ".join from the broker's host"));
    }
    return fail(ErrorCode::kUsage, text.error().message);
  }
  auto file = parse_join_file(*text);
  if (!file) {
    return fail(ErrorCode::kUsage, path + " is no join file: " + file.error().message +
                                       "; copy it again from the broker's host");
  }
  if (file->role != role) {
    return fail(ErrorCode::kUsage, path + " is for a " + file->role + ", not for a " +
                                       std::string(role) + "; the broker made " +
                                       std::string(role) + ".join beside it");
  }
  return file;
}

Result<void> write_join_file(const std::string& path, const JoinFile& file) {
  return write_private_file(path, to_text(file));
}

}  // namespace fanmill
