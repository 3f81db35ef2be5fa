#include "worker/options.hpp"

#include <algorithm>
#include <utility>

#include "proto/duration.hpp"
#include "proto/limits.hpp"
#include "worker/functions/utf8.hpp"

namespace fanmill::worker {
namespace {

tl::unexpected<Error> bad_label(const std::string& word, const std::string& why) {
  return fail(ErrorCode::kUsage, "--label " + word + ": " + why + "; for instance --label gpu=yes");
}

}  // namespace

Result<std::vector<Label>> parse_labels(const std::vector<std::string>& words) {
  std::vector<Label> labels;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return bad_label(word, "a label is a name, '=' and a value");
    }
    Label label{word.substr(0, equals), word.substr(equals + 1)};
    if (std::max(label.name.size(), label.value.size()) > limits::kNameBytesMax) {
      return bad_label(
          word.substr(0, 32) + "…",
          "a name or value has at most " + std::to_string(limits::kNameBytesMax) + " bytes");
    }
    if (!is_utf8(word)) return bad_label("(not shown)", "it is no UTF-8 text");
    if (std::ranges::find(labels, label.name, &Label::name) != labels.end()) {
      return bad_label(word, "the name '" + label.name + "' is given twice");
    }
    labels.push_back(std::move(label));
  }
  if (labels.size() > limits::kLabelsMax) {
    return fail(ErrorCode::kUsage, "a worker has at most " + std::to_string(limits::kLabelsMax) +
                                       " labels, not " + std::to_string(labels.size()));
  }
  return labels;
}

Result<nanoseconds> parse_span(const std::string& option, const std::string& text) {
  const auto parsed = parse_duration(text);
  if (!parsed) return fail(ErrorCode::kUsage, option + ": " + parsed.error().message);
  // A century, so that adding it to any time is no overflow.
  constexpr auto kMost = std::chrono::hours(24 * 365 * 100);
  if (parsed->count() == 0 || *parsed > kMost) {
    return fail(ErrorCode::kUsage,
                option + " is at least 1ms and at most a century, not \"" + text + "\"");
  }
  return nanoseconds(*parsed);
}

}  // namespace fanmill::worker
