#include "producer/progress_output.hpp"

#include <algorithm>
#include <utility>

namespace fanmill::producer {

ProgressOutput::Style ProgressOutput::style_of(const Console& console, ProgressMode mode,
                                               bool quiet) {
  if (mode == ProgressMode::kJson) return Style::kJson;
  if (quiet || mode == ProgressMode::kNone) return Style::kNothing;
  if (console.draws_bar()) return Style::kBar;
  return mode == ProgressMode::kOn ? Style::kLines : Style::kNothing;
}

ProgressOutput::ProgressOutput(Console& console, ProgressMode mode, bool quiet, MonoTime now)
    : console_(console), style_(style_of(console, mode, quiet)), began_(now), due_(now) {
  // Short runs end without a bar having flashed up.
  if (style_ == Style::kBar) due_ = now + 3 * kBarEvery;
  if (style_ == Style::kLines) due_ = now + kLineFirst;
}

std::optional<nanoseconds> ProgressOutput::every() const {
  switch (style_) {
    case Style::kNothing:
      return {};
    case Style::kBar:
      return kBarEvery;
    case Style::kJson:
      return kJsonEvery;
    case Style::kLines:
      return kLineFirst;
  }
  return {};
}

void ProgressOutput::draw(Progress& progress, MonoTime now) {
  if (style_ == Style::kNothing || now < due_) return;
  switch (style_) {
    case Style::kNothing:
      return;
    case Style::kBar:
      due_ = now + kBarEvery;
      console_.bar(progress.bar(now, console_.columns()));
      shown_ = true;
      return;
    case Style::kLines:
      line_every_ = std::min<nanoseconds>(2 * line_every_, kLineEveryMax);
      due_ = now + line_every_;
      console_.note(progress.line(now));
      shown_ = true;
      return;
    case Style::kJson:
      due_ = now + kJsonEvery;
      if (std::string mark = progress.mark(); mark != mark_) {
        mark_ = std::move(mark);
        console_.write_line(progress.json(now, "running", {}));
      }
      return;
  }
}

void ProgressOutput::end(Progress& progress, MonoTime now, std::string_view state, int exit_code) {
  if (style_ == Style::kJson) console_.write_line(progress.json(now, state, exit_code));
}

}  // namespace fanmill::producer
