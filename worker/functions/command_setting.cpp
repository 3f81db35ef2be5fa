#include "worker/functions/command_setting.hpp"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace fanmill::worker {
namespace {

constexpr const char* kSearchPath = "PATH";

bool has_zero(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace

CommandSetting::CommandSetting(const JobSpec& spec) {
  if (!spec.chdir.empty()) directory_.emplace(spec.chdir, spec.group);
  if (!spec.input.empty()) input_.emplace(spec.input.front(), spec.group);
  for (const EnvironmentVariable& given : spec.env) {
    std::erase_if(variables_, [&](const Variable& other) { return other.name == given.name; });
    Variable variable{.name = given.name, .entry = given.name + "=" + given.value, .value = {}};
    if (given.placeholders) variable.value.emplace(given.value, spec.group);
    variables_.push_back(std::move(variable));
  }
}

Result<void> CommandSetting::prepare(const TaskText& task) {
  if (directory_) {
    auto text = directory_->text(task);
    if (!text) return tl::make_unexpected(text.error());
    if (has_zero(*text)) {
      return fail(ErrorCode::kBadArguments, "the name of a directory cannot hold a zero byte");
    }
    directory_text_ = std::move(*text);
  }
  if (!variables_.empty()) {
    if (auto ok = prepare_environment(task); !ok) return ok;
  }
  return input_ ? prepare_input(task) : Result<void>();
}

Result<void> CommandSetting::prepare_environment(const TaskText& task) {
  for (Variable& variable : variables_) {
    if (variable.value) {
      const auto text = variable.value->text(task);
      if (!text) return tl::make_unexpected(text.error());
      variable.entry = variable.name + "=" + *text;
    }
    if (has_zero(variable.entry)) {
      return fail(ErrorCode::kBadArguments,
                  "the variable " + variable.name + " cannot hold a zero byte");
    }
  }
  pointers_.clear();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced =
        std::any_of(variables_.begin(), variables_.end(),
                    [&](const Variable& variable) { return variable.name == name; });
    if (!replaced) pointers_.push_back(*entry);
  }
  for (Variable& variable : variables_) pointers_.push_back(variable.entry.data());
  pointers_.push_back(nullptr);
  return {};
}

// A file in memory takes a text of any length at once, where a pipe would want somebody to feed it.
Result<void> CommandSetting::prepare_input(const TaskText& task) {
  const auto text = input_->text(task);
  if (!text) return tl::make_unexpected(text.error());
  input_fd_ = Fd(memfd_create("stdin", MFD_CLOEXEC));
  bool ok = static_cast<bool>(input_fd_);
  for (std::string_view rest = *text; ok && !rest.empty();) {
    const ssize_t wrote = write(input_fd_.get(), rest.data(), rest.size());
    if (wrote > 0) {
      rest.remove_prefix(static_cast<std::size_t>(wrote));
    } else {
      ok = wrote < 0 && errno == EINTR;
    }
  }
  if (ok && lseek(input_fd_.get(), 0, SEEK_SET) == 0) return {};
  return fail(ErrorCode::kSystem,
              std::string("cannot keep the text of --stdin: ") + strerror(errno));
}

std::optional<std::string> CommandSetting::search_path() const {
  for (const Variable& variable : variables_) {
    if (variable.name == kSearchPath) return variable.entry.substr(variable.name.size() + 1);
  }
  return {};
}

}  // namespace fanmill::worker
