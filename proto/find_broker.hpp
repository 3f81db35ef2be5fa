// What people give for a broker: an endpoint, or a join file.
#pragma once

#include <string>
#include <string_view>

#include "proto/address.hpp"
#include "proto/error.hpp"

namespace fanmill {

// A word with "://" is an endpoint, any other the path of a join file of `role`. Errors are those
// of parse_endpoint() and read_join_file().
Result<Address> find_broker(const std::string& given, std::string_view role);

}  // namespace fanmill
