#include "proto/nearest.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace fanmill {
namespace {

// Levenshtein's distance: single characters put in, left out or exchanged.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view wanted,
                                        std::span<const std::string> names) {
  const std::string* found = nullptr;
  std::size_t least = std::max<std::size_t>(2, wanted.size() / 3) + 1;
  for (const std::string& name : names) {
    const std::size_t far = distance(wanted, name);
    // A name of which nothing is left was not meant.
    if (far >= least || far >= std::max(wanted.size(), name.size())) continue;
    found = &name;
    least = far;
  }
  if (found == nullptr) return {};
  return *found;
}

}  // namespace fanmill
