// What the three programs share of their command lines: --help of at most kHelpColumns columns, and
// wrong use told in one line. Header only: proto itself needs no CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "proto/nearest.hpp"

namespace fanmill {

constexpr std::size_t kHelpColumns = 100;

// Options with their descriptions wrapped; `usage` stands in place of the line CLI11 makes up.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(kIndent); }

  std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
    return usage_ + "\n";
  }

  std::string make_option(const CLI::Option* option, bool positional) const override {
    std::string text = "  " + make_option_name(option, positional) + make_option_opts(option);
    std::size_t column = text.size();
    if (column >= kIndent) {
      text += "\n";
      column = 0;
    }
    text.append(kIndent - column, ' ');
    column = kIndent;
    std::istringstream words(make_option_desc(option));
    std::string word;
    while (words >> word) {
      if (column > kIndent && column + 1 + word.size() > kHelpColumns) {
        text += "\n" + std::string(kIndent, ' ');
        column = kIndent;
      } else if (column > kIndent) {
        text += ' ';
        ++column;
      }
      text += word;
      column += word.size();
    }
    return text + "\n";
  }

 private:
  static constexpr std::size_t kIndent = 28;
  std::string usage_;
};

// "there is no option --frmat; did you mean --format?"
inline std::string unknown_option(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::string name = word.substr(0, word.find('='));
  std::string text = "there is no option " + name;
  if (name.starts_with("--")) {
    if (const auto meant = nearest_name(name, names)) text += "; did you mean " + *meant + "?";
  }
  return text;
}

// One sentence about what is wrong with the words that `app` was given, and where help is.
inline std::string parse_complaint(const CLI::App& app, const CLI::ParseError& error,
                                   const std::string& command) {
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const std::vector<std::string> extra = app.remaining();
    if (!extra.empty() && extra.front().starts_with('-')) {
      text = unknown_option(app, extra.front());
    } else if (!extra.empty()) {
      text = "\"" + extra.front() + "\" is one word too many";
    }
  } else if (const std::string begin = "Could not convert: "; text.starts_with(begin)) {
    text = text.substr(begin.size()) + " is no number in range";
  } else if (const std::size_t many = text.find(": At Most 1 required");
             many != std::string::npos) {
    text = text.substr(0, many) + " is there more than once; give it once";
  } else if (const std::size_t end = text.find(" was given a disallowed flag override");
             end != std::string::npos) {
    text = "--" + text.substr(0, end) + " takes no value";
  }
  return text + " (" + command + " --help)";
}

}  // namespace fanmill
