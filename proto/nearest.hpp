// The name that somebody most likely meant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fanmill {

// Of `names` the one nearest to `wanted`; nothing where none is near enough to be meant.
std::optional<std::string> nearest_name(std::string_view wanted,
                                        std::span<const std::string> names);

}  // namespace fanmill
