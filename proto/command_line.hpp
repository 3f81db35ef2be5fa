// What the templates of a job and the values of one task make together: the argument vector or the
// shell's line of its command, and other texts of it. Values and placeholders are as with GNU
// parallel, with its option -q where no shell is asked for.
//
// A {} that stands for several values: with a shell, and in texts, they have spaces between; in an
// argument vector the first completes the text before it, the last the text behind it, and those
// between are arguments of their own. In a job of groups (JobSpec::group) every blank-separated
// word with such placeholders is repeated for each value instead, and a position that the last,
// shorter group does not have is empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/error.hpp"
#include "proto/messages.hpp"
#include "proto/placeholder.hpp"
#include "proto/task_text.hpp"

namespace fanmill {

class TextTemplate {
 public:
  TextTemplate(std::string_view text, std::uint32_t group);

  // Refused (kBadArguments), here and below: a position that the tuple does not have.
  Result<std::string> text(const TaskText& task) const;
  // Appends the text, its values quoted for a shell or not. True: a placeholder was replaced.
  Result<bool> append_line(std::string& out, const TaskText& task, bool quoted) const;
  // Appends one argument or, with a {} of several values, more. True: a placeholder was replaced.
  Result<bool> append_arguments(std::vector<std::string>& out, const TaskText& task) const;
  // There is a placeholder in the first word, and that is no assignment.
  bool names_program() const;

 private:
  class Filler;
  struct Word {
    TemplateText pieces;
    bool repeated = false;  // for every value
  };
  Result<bool> fill(Filler& filler) const;

  std::vector<Word> words_;
  std::uint32_t group_;
};

class CommandLine {
 public:
  explicit CommandLine(const JobSpec& spec);

  // What is executed: with a shell, that program with -c and the line. The values are appended
  // where no placeholder took any, in argv or in the job's other templates. A line of a shell that
  // begins with a placeholder is a command of the input's own: its values are not quoted. Refused
  // (kBadArguments) beside what a template refuses: an argument with a zero byte, an empty
  // template.
  Result<std::vector<std::string>> arguments(const TaskText& task) const;
  // The same as a line that a shell would run: what arguments() gives it, or argv with quotes.
  Result<std::string> line(const TaskText& task) const;

 private:
  Result<bool> taken_elsewhere(const TaskText& task) const;

  std::string shell_;
  std::vector<TextTemplate> templates_;  // with a shell: of the whole line
  bool quoted_ = true;                   // a shell gets its values so
  std::vector<TextTemplate> others_;     // of directory, variables and stdin
};

}  // namespace fanmill
