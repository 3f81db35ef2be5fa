#include "proto/find_broker.hpp"

#include "proto/ipc_path.hpp"
#include "proto/join_file.hpp"

namespace fanmill {

Result<Address> find_broker(const std::string& given, std::string_view role) {
  if (given.find("://") != std::string::npos) {
    const auto parsed = parse_endpoint(given);
    if (!parsed) return tl::make_unexpected(parsed.error());
    if (parsed->transport == Transport::kTcp) {
      return fail(ErrorCode::kUsage, "a broker at " + given +
                                         " is reached with its join file: copy " +
                                         std::string(role) + ".join from its host and give that");
    }
    if (parsed->transport == Transport::kIpc) {
      const auto checked = check_ipc_path(parsed->name);
      if (!checked) return tl::make_unexpected(checked.error());
    }
    return Address(given);
  }
  auto file = read_join_file(given, role);
  if (!file) return tl::make_unexpected(file.error());
  return std::move(file->address);
}

}  // namespace fanmill
