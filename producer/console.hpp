// What goes to stderr: lines for people, and the progress bar that stays below them. Both the main
// thread (bar, notes) and the writer thread (failed tasks, captured stderr) speak, so a mutex keeps
// their lines whole.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace fanmill::producer {

class Console {
 public:
  // A bar is drawn only on a terminal, and only if `bar` says so.
  explicit Console(bool bar);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool draws_bar() const { return draws_bar_; }
  std::size_t columns() const;

  // "fanmill: TEXT", a line of its own, above the bar.
  void note(std::string_view text);
  // note(), for who speaks without knowing of a console; empty if `quiet`.
  std::function<void(std::string_view)> teller(bool quiet);
  // A line of its own, also where somebody left half a line.
  void write_line(std::string_view text);
  // As it is, above the bar.
  void write(std::string_view text);
  // Data for `fd`: on a terminal the bar makes room for it. The error number, or 0.
  int write_data(int fd, std::string_view data);
  // Replaces the bar; cut to the width of the terminal.
  void bar(std::string text);
  void clear_bar();

 private:
  void hide();
  void show();

  const bool draws_bar_;
  std::mutex mutex_;
  std::string bar_;
  bool shown_ = false;
  bool at_line_start_ = true;
};

// To be called before anything is opened: a standard descriptor that was closed stays unusable, and
// is not given to a socket into which results would then be written.
void occupy_standard_descriptors();

// Writes all of it, waiting where `fd` is slow. The error number, or 0.
int write_all(int fd, std::string_view text);

}  // namespace fanmill::producer
