// Where a run's progress goes, and how often: a bar on a terminal, lines for people elsewhere, JSON
// for programs, or nowhere. All of it on stderr.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "producer/console.hpp"
#include "producer/progress.hpp"
#include "proto/clock.hpp"

namespace fanmill::producer {

// What --progress says. kAuto: a bar where stderr is a terminal, else nothing.
enum class ProgressMode : std::uint8_t { kAuto, kOn, kJson, kNone };

inline constexpr auto kBarEvery = std::chrono::milliseconds(100);
inline constexpr auto kJsonEvery = std::chrono::milliseconds(250);
inline constexpr auto kLineFirst = std::chrono::seconds(1);  // then twice as long each time
inline constexpr auto kLineEveryMax = std::chrono::seconds(60);

class ProgressOutput {
 public:
  // `quiet` leaves nothing but JSON that was asked for.
  ProgressOutput(Console& console, ProgressMode mode, bool quiet, MonoTime now);

  // When draw() next has something to do; never, where nothing is shown.
  std::optional<nanoseconds> every() const;
  void draw(Progress& progress, MonoTime now);
  // The bar's end; whatever is written afterwards stands where it was.
  void clear() { console_.clear_bar(); }
  // The last thing of all: JSON's last line.
  void end(Progress& progress, MonoTime now, std::string_view state, int exit_code);

  // Whether people were shown something, who will want to know how it ended.
  bool was_shown() const { return shown_; }

 private:
  enum class Style : std::uint8_t { kNothing, kBar, kLines, kJson };
  static Style style_of(const Console& console, ProgressMode mode, bool quiet);

  Console& console_;
  const Style style_;
  MonoTime began_;
  MonoTime due_;
  nanoseconds line_every_ = kLineFirst;
  std::string mark_;
  bool shown_ = false;
};

}  // namespace fanmill::producer
