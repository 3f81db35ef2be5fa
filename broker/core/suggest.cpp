#include "broker/core/suggest.hpp"

#include <algorithm>
#include <cstddef>

#include "proto/messages.hpp"
#include "proto/nearest.hpp"

namespace fanmill::broker {
namespace {

constexpr std::size_t kListedMax = 40;

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
  if (const auto nearest = nearest_name(wanted, offered)) {
    text += "; did you mean '" + *nearest + "'?";
  }
  text += text.back() == '?' ? " Offered are: " : "; offered are: ";
  for (std::size_t i = 0; i < offered.size(); ++i) {
    if (i == kListedMax) return text + ", …";
    if (i > 0) text += ", ";
    text += offered[i];
  }
  return text;
}

}  // namespace fanmill::broker
