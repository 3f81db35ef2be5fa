// A table of text, aligned, and made to fit the width of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fanmill::producer {

enum class Colour : unsigned char { kNone, kGreen, kYellow, kRed, kDim, kBold };

// What a table is printed on.
struct TextStyle {
  std::size_t columns = 0;  // of the terminal; 0: of any length
  bool colours = false;

  // What standard output is: its terminal's width and, without NO_COLOR, colours.
  static TextStyle of_stdout();
};

std::string coloured(const std::string& text, Colour colour, const TextStyle& style);

struct TableCell {
  std::string text;  // visible() has been applied
  Colour colour = Colour::kNone;
};

struct TableColumn {
  std::string heading;
  bool right = false;     // numbers
  std::size_t least = 0;  // where room is scarce, it shrinks to so many columns; 0: it does not
  int leaves = 0;         // and then columns leave, the one with the highest number first; 0: stays
};

// A heading and the rows, two blanks between columns, none at the ends of lines. Nothing without
// rows. Columns without any text leave. Each row has a cell for each column.
std::string table_text(std::vector<TableColumn> columns, std::vector<std::vector<TableCell>> rows,
                       const TextStyle& style);

}  // namespace fanmill::producer
