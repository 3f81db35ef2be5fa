#include "broker/core/suggest.hpp"

#include <algorithm>
#include <cstddef>

#include "proto/messages.hpp"

namespace fanmill::broker {
namespace {

constexpr std::size_t kListedMax = 40;

// Levenshtein's distance: single characters put in, left out or exchanged.
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

std::string unknown_function(const std::string& wanted, std::vector<std::string> offered) {
  std::sort(offered.begin(), offered.end());
  offered.erase(std::unique(offered.begin(), offered.end()), offered.end());
  if (wanted == kCommandFunction) {
    return offered.empty()
               ? "no worker is connected that could run commands"
               : "no worker runs commands; start one that does: fanmill worker --allow-exec";
  }
  std::string text = "no worker offers '" + wanted + "'";
  if (offered.empty()) return text + ": no worker is connected";
  const auto nearest = std::min_element(offered.begin(), offered.end(),
                                        [&wanted](const std::string& a, const std::string& b) {
                                          return distance(wanted, a) < distance(wanted, b);
                                        });
  if (distance(wanted, *nearest) <= std::max<std::size_t>(2, wanted.size() / 3))
    text += "; did you mean '" + *nearest + "'?";
  text += text.back() == '?' ? " Offered are: " : "; offered are: ";
  for (std::size_t i = 0; i < offered.size(); ++i) {
    if (i == kListedMax) return text + ", …";
    if (i > 0) text += ", ";
    text += offered[i];
  }
  return text;
}

}  // namespace fanmill::broker
