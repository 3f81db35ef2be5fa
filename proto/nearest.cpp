#include "proto/nearest.hpp"

#include <algorithm>
#include <cstddef>

namespace fanmill {
namespace {

constexpr std::size_t kAlwaysNear = 2;

// Levenshtein's distance.
std::size_t distance(const std::string& a, const std::string& b) {
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

std::optional<std::string> nearest(const std::string& wanted,
                                   const std::vector<std::string>& offered) {
  const auto found = std::min_element(offered.begin(), offered.end(),
                                      [&wanted](const std::string& a, const std::string& b) {
                                        return distance(wanted, a) < distance(wanted, b);
                                      });
  if (found == offered.end()) return {};
  if (distance(wanted, *found) > std::max(kAlwaysNear, wanted.size() / 3)) return {};
  return *found;
}

}  // namespace fanmill
