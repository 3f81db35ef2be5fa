#include "producer/table.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include "producer/visible_text.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kGap = 2;

const char* code_of(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kRed:
      return "\x1b[31m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kBold:
      return "\x1b[1m";
  }
  return "";
}

class Layout {
 public:
  Layout(const std::vector<TableColumn>& columns, const std::vector<std::vector<TableCell>>& rows)
      : columns_(columns), widths_(columns.size()), stays_(columns.size(), true) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      std::size_t longest = 0;
      for (const auto& row : rows) longest = std::max(longest, columns_of(row[c].text));
      widths_[c] = std::max(longest, columns_of(columns[c].heading));
      stays_[c] = longest > 0;
    }
  }

  void fit(std::size_t room) {
    while (total() > room) {
      const std::size_t excess = total() - room;
      if (!shrink(excess) && !drop()) return;
    }
  }
  bool stays(std::size_t column) const { return stays_[column]; }
  std::size_t width(std::size_t column) const { return widths_[column]; }

 private:
  std::size_t total() const {
    std::size_t sum = 0;
    for (std::size_t c = 0; c < widths_.size(); ++c) {
      if (stays_[c]) sum += widths_[c] + (sum > 0 ? kGap : 0);
    }
    return sum;
  }
  // Of the columns that can, the widest.
  bool shrink(std::size_t excess) {
    std::size_t widest = columns_.size();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::size_t least = columns_[c].least;
      if (!stays_[c] || least == 0 || widths_[c] <= least) continue;
      if (widest == columns_.size() || widths_[c] > widths_[widest]) widest = c;
    }
    if (widest == columns_.size()) return false;
    const std::size_t spare = widths_[widest] - columns_[widest].least;
    widths_[widest] -= std::min(spare, excess);
    return true;
  }
  bool drop() {
    std::size_t first = columns_.size();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (!stays_[c] || columns_[c].leaves == 0) continue;
      if (first == columns_.size() || columns_[c].leaves > columns_[first].leaves) first = c;
    }
    if (first == columns_.size()) return false;
    stays_[first] = false;
    return true;
  }

  const std::vector<TableColumn>& columns_;
  std::vector<std::size_t> widths_;
  std::vector<bool> stays_;
};

}  // namespace

TextStyle TextStyle::of_stdout() {
  TextStyle style;
  if (isatty(STDOUT_FILENO) == 0) return style;
  winsize size{};
  constexpr std::size_t kUsual = 80;
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  style.columns = known ? size.ws_col : kUsual;
  const char* const none = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  style.colours =
      (none == nullptr || *none == '\0') && term != nullptr && std::string_view(term) != "dumb";
  return style;
}

std::string coloured(const std::string& text, Colour colour, const TextStyle& style) {
  if (!style.colours || colour == Colour::kNone || text.empty()) return text;
  return code_of(colour) + text + "\x1b[0m";
}

std::string table_text(std::vector<TableColumn> columns, std::vector<std::vector<TableCell>> rows,
                       const TextStyle& style) {
  if (rows.empty()) return {};
  Layout layout(columns, rows);
  if (style.columns > 0) layout.fit(style.columns);
  std::vector<TableCell> headings;
  for (const TableColumn& column : columns) {
    headings.push_back({.text = column.heading, .colour = Colour::kBold});
  }
  rows.insert(rows.begin(), std::move(headings));
  std::string out;
  for (const auto& row : rows) {
    FANMILL_ASSERT(row.size() == columns.size());
    std::string blanks;  // printed only once something follows them
    bool first = true;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (!layout.stays(c)) continue;
      if (!first) blanks.append(kGap, ' ');
      first = false;
      const std::string text = cut_to_columns(row[c].text, layout.width(c));
      const std::string fill(layout.width(c) - columns_of(text), ' ');
      if (columns[c].right) blanks += fill;
      if (!text.empty()) {
        out += blanks + coloured(text, row[c].colour, style);
        blanks.clear();
      }
      if (!columns[c].right) blanks += fill;
    }
    out += '\n';
  }
  return out;
}

}  // namespace fanmill::producer
