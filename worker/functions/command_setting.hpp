// What a command finds around it, task by task: its directory, its environment, its stdin.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/command_line.hpp"
#include "proto/error.hpp"
#include "proto/messages.hpp"
#include "worker/spawn.hpp"

namespace fanmill::worker {

class CommandSetting {
 public:
  explicit CommandSetting(const JobSpec& spec);

  // Nothing of it depends on anything: prepare() has nothing to do.
  bool is_plain() const { return !directory_ && variables_.empty() && !input_; }

  // Makes everything below for this task. kBadArguments: a template refuses, a zero byte where none
  // can be. kSystem: no memory for the input.
  Result<void> prepare(const TaskText& task);

  const std::optional<std::string>& directory() const { return directory_text_; }
  // For exec; nothing: what this process has.
  char** environment() { return pointers_.empty() ? nullptr : pointers_.data(); }
  // What it sets PATH to.
  std::optional<std::string> search_path() const;
  // Readable from its beginning; invalid: none.
  const Fd& input() const { return input_fd_; }

 private:
  struct Variable {
    std::string name;
    std::string entry;  // NAME=VALUE of the task
    std::optional<TextTemplate> value;
  };

  Result<void> prepare_environment(const TaskText& task);
  Result<void> prepare_input(const TaskText& task);

  std::optional<TextTemplate> directory_;
  std::vector<Variable> variables_;  // each name once
  std::optional<TextTemplate> input_;

  std::optional<std::string> directory_text_;
  std::vector<char*> pointers_;
  Fd input_fd_;
};

}  // namespace fanmill::worker
