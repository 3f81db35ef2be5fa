#include "proto/command_line.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "proto/shell_quote.hpp"

namespace fanmill {
namespace {

constexpr std::string_view kBlanks = " \t\n";

bool has_every(const TemplateText& pieces) {
  return std::any_of(pieces.begin(), pieces.end(), [](const TemplatePiece& piece) {
    const auto* const placeholder = std::get_if<Placeholder>(&piece);
    return placeholder != nullptr && placeholder->is_every();
  });
}

// The words of a template and the blanks between them, in order.
std::vector<TemplateText> cut_at_blanks(const TemplateText& pieces) {
  std::vector<TemplateText> words(1);
  bool blank = false;
  const auto add = [&](std::string_view text, bool is_blank) {
    if (is_blank != blank && !words.back().empty()) words.emplace_back();
    blank = is_blank;
    words.back().emplace_back(std::string(text));
  };
  for (const TemplatePiece& piece : pieces) {
    const auto* const literal = std::get_if<std::string>(&piece);
    if (literal == nullptr) {
      if (blank) words.emplace_back();
      blank = false;
      words.back().push_back(piece);
      continue;
    }
    for (std::string_view rest = *literal; !rest.empty();) {
      const bool is_blank = kBlanks.find(rest.front()) != std::string_view::npos;
      const std::size_t end = std::min(
          is_blank ? rest.find_first_not_of(kBlanks) : rest.find_first_of(kBlanks), rest.size());
      add(rest.substr(0, end), is_blank);
      rest.remove_prefix(end);
    }
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (&word != &words.front()) line += ' ';
    line += word;
  }
  return line;
}

}  // namespace

// Collects the text of one template: in one piece, or cut into arguments.
class TextTemplate::Filler {
 public:
  Filler(const TaskText& task, std::uint32_t group, bool quoted,
         std::vector<std::string>* arguments)
      : task_(task), group_(group), quoted_(quoted), arguments_(arguments) {}

  Result<void> put(const TemplateText& pieces, std::optional<std::size_t> only) {
    for (const TemplatePiece& piece : pieces) {
      if (const auto* literal = std::get_if<std::string>(&piece)) {
        text_ += *literal;
      } else if (auto ok = put(std::get<Placeholder>(piece), only); !ok) {
        return ok;
      }
    }
    return {};
  }
  void border() {
    if (arguments_ != nullptr) {
      arguments_->push_back(std::exchange(text_, {}));
    } else {
      text_ += ' ';
    }
  }

  const TaskText& task() const { return task_; }
  std::string& text() { return text_; }
  bool replaced() const { return replaced_; }

 private:
  Result<void> put(const Placeholder& placeholder, std::optional<std::size_t> only) {
    const std::size_t count = task_.values.size();
    if (placeholder.is_every()) {
      replaced_ = true;
      for (std::size_t i = only.value_or(0); i < (only ? *only + 1 : count); ++i) {
        if (i > only.value_or(0)) border();
        put_value(i, placeholder.part);
      }
      return {};
    }
    if (std::holds_alternative<TaskNumber>(placeholder.what)) {
      replaced_ = true;
      text_ += std::to_string(task_.number);
      return {};
    }
    if (std::holds_alternative<SlotNumber>(placeholder.what)) {
      replaced_ = true;
      text_ += task_.slot == 0 ? placeholder.text : std::to_string(task_.slot);
      return {};
    }
    if (const auto* name = std::get_if<ValueName>(&placeholder.what)) {
      const auto found = std::find(task_.names.begin(), task_.names.end(), name->name);
      const auto where = static_cast<std::size_t>(found - task_.names.begin());
      if (found == task_.names.end() || where >= count) {
        text_ += placeholder.text;
      } else {
        put_value(where, placeholder.part);
      }
      return {};
    }
    const int number = std::get<ValuePosition>(placeholder.what).number;
    const auto size = static_cast<std::int64_t>(count);
    const std::int64_t from_zero = number > 0 ? std::int64_t{number} - 1 : size + number;
    if (from_zero >= 0 && from_zero < size) {
      put_value(static_cast<std::size_t>(from_zero), placeholder.part);
      return {};
    }
    if (std::abs(std::int64_t{number}) > std::int64_t{group_}) {
      return fail(ErrorCode::kBadArguments, "the command uses " + placeholder.text +
                                                ", but the tuple has " + std::to_string(count) +
                                                (count == 1 ? " element" : " elements"));
    }
    replaced_ = true;
    return {};
  }

  void put_value(std::size_t index, PathPart part) {
    replaced_ = true;
    const std::string value = part_of(task_.values[index], part);
    if (quoted_) {
      append_shell_quoted(text_, value);
    } else {
      text_ += value;
    }
  }

  const TaskText& task_;
  const std::uint32_t group_;
  const bool quoted_;
  std::vector<std::string>* const arguments_;
  std::string text_;
  bool replaced_ = false;
};

TextTemplate::TextTemplate(std::string_view text, std::uint32_t group) : group_(group) {
  TemplateText pieces = parse_template(text);
  if (group == 0) {
    words_.push_back({.pieces = std::move(pieces)});
    return;
  }
  for (TemplateText& word : cut_at_blanks(pieces)) {
    const bool repeated = has_every(word);
    words_.push_back({.pieces = std::move(word), .repeated = repeated});
  }
}

Result<bool> TextTemplate::fill(Filler& filler) const {
  for (const Word& word : words_) {
    const std::size_t times = word.repeated ? filler.task().values.size() : 1;
    for (std::size_t i = 0; i < times; ++i) {
      if (i > 0) filler.border();
      const auto ok = filler.put(word.pieces, word.repeated ? std::optional(i) : std::nullopt);
      if (!ok) return tl::make_unexpected(ok.error());
    }
  }
  return filler.replaced();
}

Result<std::string> TextTemplate::text(const TaskText& task) const {
  Filler filler(task, group_, false, nullptr);
  if (const auto ok = fill(filler); !ok) return tl::make_unexpected(ok.error());
  return std::move(filler.text());
}

Result<bool> TextTemplate::append_line(std::string& out, const TaskText& task, bool quoted) const {
  Filler filler(task, group_, quoted, nullptr);
  auto replaced = fill(filler);
  out += filler.text();
  return replaced;
}

Result<bool> TextTemplate::append_arguments(std::vector<std::string>& out,
                                            const TaskText& task) const {
  Filler filler(task, group_, false, &out);
  auto replaced = fill(filler);
  out.push_back(std::move(filler.text()));
  return replaced;
}

bool TextTemplate::names_program() const {
  for (const Word& word : words_) {
    for (const TemplatePiece& piece : word.pieces) {
      const auto* const literal = std::get_if<std::string>(&piece);
      if (literal == nullptr) return true;
      if (literal->find_first_of(" \t\n=") != std::string::npos) return false;
    }
  }
  return false;
}

CommandLine::CommandLine(const JobSpec& spec) : shell_(spec.shell) {
  if (!spec.chdir.empty()) others_.emplace_back(spec.chdir, spec.group);
  for (const std::string& text : spec.input) others_.emplace_back(text, spec.group);
  for (const EnvironmentVariable& variable : spec.env) {
    if (variable.placeholders) others_.emplace_back(variable.value, spec.group);
  }
  if (spec.argv.empty()) return;
  if (!shell_.empty()) {
    templates_.emplace_back(joined(spec.argv), spec.group);
    quoted_ = !templates_.front().names_program();
    return;
  }
  for (const std::string& argument : spec.argv) templates_.emplace_back(argument, spec.group);
}

Result<std::vector<std::string>> CommandLine::arguments(const TaskText& task) const {
  if (templates_.empty()) return fail(ErrorCode::kBadArguments, "the command is empty");
  std::vector<std::string> arguments;
  if (!shell_.empty()) {
    auto text = line(task);
    if (!text) return tl::make_unexpected(text.error());
    arguments = {shell_, "-c", std::move(*text)};
  } else {
    bool replaced = false;
    arguments.reserve(templates_.size() + task.values.size());
    for (const TextTemplate& argument : templates_) {
      const auto any = argument.append_arguments(arguments, task);
      if (!any) return tl::make_unexpected(any.error());
      replaced = replaced || *any;
    }
    if (!replaced) {
      const auto taken = taken_elsewhere(task);
      if (!taken) return tl::make_unexpected(taken.error());
      if (!*taken) arguments.insert(arguments.end(), task.values.begin(), task.values.end());
    }
  }
  for (const std::string& argument : arguments) {
    if (argument.find('\0') != std::string::npos) {
      return fail(ErrorCode::kBadArguments, "an argument of a command cannot hold a zero byte");
    }
  }
  return arguments;
}

Result<std::string> CommandLine::line(const TaskText& task) const {
  if (shell_.empty()) {
    const auto words = arguments(task);
    if (!words) return tl::make_unexpected(words.error());
    return shell_line(*words);
  }
  if (templates_.empty()) return fail(ErrorCode::kBadArguments, "the command is empty");
  std::string text;
  const auto replaced = templates_.front().append_line(text, task, quoted_);
  if (!replaced) return tl::make_unexpected(replaced.error());
  if (*replaced) return text;
  const auto taken = taken_elsewhere(task);
  if (!taken) return tl::make_unexpected(taken.error());
  if (*taken) return text;
  for (const std::string& value : task.values) {
    text += ' ';
    append_shell_quoted(text, value);
  }
  return text;
}

Result<bool> CommandLine::taken_elsewhere(const TaskText& task) const {
  std::string ignored;
  for (const TextTemplate& other : others_) {
    auto replaced = other.append_line(ignored, task, false);
    if (!replaced || *replaced) return replaced;
  }
  return false;
}

}  // namespace fanmill
