#include "producer/commands/empty_values.hpp"

#include <cstddef>
#include <utility>

namespace fanmill::producer {
namespace {

bool takes_value(const CLI::App& app, const std::string& name) {
  const CLI::Option* const option = app.get_option_no_throw(name);
  return option != nullptr && option->get_items_expected_min() > 0;
}

// Of `-o`, and of `-0N`, where the last letter counts. `-N3` has its value.
bool wants_next_word(const CLI::App& app, const std::string& letters) {
  for (std::size_t i = 1; i < letters.size(); ++i) {
    if (takes_value(app, {'-', letters[i]})) return i + 1 == letters.size();
  }
  return false;
}

}  // namespace

std::vector<std::string> with_empty_values(const CLI::App& app, std::vector<std::string> words) {
  std::vector<std::string> out;
  bool is_value = false;
  bool is_ours = true;
  for (std::string& word : words) {
    if (!is_ours || std::exchange(is_value, false)) {
      out.push_back(std::move(word));
      continue;
    }
    const bool is_long = word.starts_with("--");
    const std::size_t equals = word.find('=');
    if (word == "--") {
      is_ours = false;
    } else if (is_long && equals == std::string::npos) {
      is_value = takes_value(app, word);
    } else if (is_long && equals + 1 == word.size() && takes_value(app, word.substr(0, equals))) {
      out.push_back(word.substr(0, equals));
      word.clear();
    } else if (!is_long && word.starts_with('-')) {
      is_value = wants_next_word(app, word);
    } else if (!is_long) {
      is_ours = !app.get_prefix_command();
    }
    out.push_back(std::move(word));
  }
  return out;
}

}  // namespace fanmill::producer
