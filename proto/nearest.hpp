// What somebody may have meant by a name that is not there.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fanmill {

// The one of `offered` that is nearest to `wanted` by single characters put in, left out or
// exchanged; none if even that is far away. The first of several that are equally near.
std::optional<std::string> nearest(const std::string& wanted,
                                   const std::vector<std::string>& offered);

}  // namespace fanmill
