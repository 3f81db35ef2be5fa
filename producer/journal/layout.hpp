// Which position of the journal each row of an input has, in runs: an input that is the same as
// ever is one run, whatever its length.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>

namespace fanmill::producer {

struct LayoutRun {
  std::uint64_t input{};  // index of its first row in the input
  std::uint64_t position{};
  std::uint64_t count{};
  std::uint64_t input_end() const { return input + count; }
  friend bool operator==(const LayoutRun&, const LayoutRun&) = default;
};

class Layout {
 public:
  // The next row of the input.
  void add(std::uint64_t position) {
    if (!runs_.empty() && runs_.back().position + runs_.back().count == position) {
      ++runs_.back().count;
    } else {
      runs_.push_back({rows_, position, 1});
    }
    ++rows_;
  }
  std::uint64_t rows() const { return rows_; }
  const std::deque<LayoutRun>& runs() const { return runs_; }

  // Of the first `rows` rows, as text: equal texts are equal layouts. Empty if there are more than
  // kRunsKept runs.
  std::string text(std::uint64_t rows) const {
    if (is_cut_) return {};
    std::string text;
    std::size_t kept = 0;
    for (const LayoutRun& run : runs_) {
      if (run.input >= rows) break;
      if (++kept > kRunsKept) return {};
      const std::uint64_t count = run.input_end() > rows ? rows - run.input : run.count;
      text += std::to_string(run.position) + "+" + std::to_string(count) + " ";
    }
    return text;
  }

  static std::uint64_t first_position(const std::string& text) {
    return std::strtoull(text.c_str(), nullptr, 10);
  }
  // The first of many runs, which nobody asks for again.
  void drop_front() {
    runs_.pop_front();
    is_cut_ = true;
  }

  static constexpr std::size_t kRunsKept = 4096;

 private:
  std::uint64_t rows_ = 0;
  std::deque<LayoutRun> runs_;
  bool is_cut_ = false;
};

}  // namespace fanmill::producer
