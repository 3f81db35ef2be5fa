#include "proto/address.hpp"

#include <string_view>

namespace fanmill {

using namespace std::string_view_literals;

Result<Endpoint> parse_endpoint(const std::string& endpoint) {
  const auto after = [&](std::string_view scheme) { return endpoint.substr(scheme.size()); };
  if (endpoint.starts_with("inproc://"sv) && endpoint.size() > "inproc://"sv.size()) {
    return Endpoint{Transport::kInproc, after("inproc://"sv)};
  }
  if (endpoint.starts_with("ipc://"sv)) {
    std::string path = after("ipc://"sv);
    if (path.empty() || path == "*" || path.front() == '@') {
      return fail(ErrorCode::kUsage, "the endpoint " + endpoint +
                                         " names no file; write ipc:// and the path of a socket, "
                                         "as in ipc:///run/user/1000/fanmill.sock");
    }
    return Endpoint{Transport::kIpc, std::move(path)};
  }
  if (endpoint.starts_with("tcp://"sv)) {
    std::string at = after("tcp://"sv);
    const std::size_t colon = at.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == at.size() ||
        at.find_first_of(" /;") != std::string::npos) {
      return fail(ErrorCode::kUsage, "the endpoint " + endpoint +
                                         " needs an address and a port, as in tcp://0.0.0.0:7070");
    }
    return Endpoint{Transport::kTcp, std::move(at)};
  }
  return fail(ErrorCode::kUsage, "unknown endpoint " + endpoint +
                                     "; use ipc://PATH, or tcp://ADDRESS:PORT between hosts");
}

}  // namespace fanmill
