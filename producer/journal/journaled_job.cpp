#include "producer/journal/journaled_job.hpp"

#include <algorithm>
#include <utility>

#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

std::uint64_t end_of(const Rows& rows) { return rows.first.value + rows.count; }

// Rows [from, from + count) of these, numbered from `first` on. A batch may then begin before zero:
// only its distance to the rows counts.
Rows cut(const Rows& rows, std::uint64_t from, std::uint64_t count, std::uint64_t first) {
  Rows part = rows;
  const std::uint64_t passed = from - rows.first.value;
  const std::uint64_t offset = rows.first - rows.batch_first + passed;
  part.first = {first};
  part.batch_first = {first - offset};
  part.count = count;
  part.tuples_skip += static_cast<std::uint32_t>(passed);
  part.job = {};
  part.position = part.next = 0;
  return part;
}

// The tuples of a chunk, one by one.
template <class Take>
Result<void> for_each_tuple(const ChunkBuilder::Chunk& chunk, Take&& take) {
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < chunk.tuples; ++i) {
    const std::size_t from = at;
    if (auto ok = skip_msgpack(chunk.bytes, at, 1); !ok) return ok;
    if (auto ok = take(std::string_view(chunk.bytes).substr(from, at - from)); !ok) return ok;
  }
  return {};
}

}  // namespace

Result<ResumePlan> plan_resume(JournalFile& file, TupleSource& source,
                               const std::optional<JournalOutput>& output) {
  ResumePlan plan;
  TupleMatch match(file);
  Recorded recorded(file);
  Layout layout;  // of the rows that the output has
  ChunkBuilder builder;
  const auto count = [&](std::string_view tuple) -> Result<void> {
    ++plan.tuples;
    const auto position = match.find(hash_of(tuple));
    if (!position) return tl::make_unexpected(position.error());
    if (output && layout.rows() < output->tasks)
      layout.add(*position ? **position : file.positions() + plan.fresh);
    if (!*position) {
      ++plan.fresh;
      return {};
    }
    const auto outcome = recorded.outcome_at(**position);
    if (!outcome) return tl::make_unexpected(outcome.error());
    if (*outcome == Outcome::kSucceeded) {
      ++plan.done;
    } else if (!*outcome || **outcome == Outcome::kCancelled) {
      ++plan.unfinished;
    } else {
      ++plan.failed;
    }
    return {};
  };
  for (Supply supply = Supply::kMore; supply != Supply::kEnd;) {
    const auto more = source.fill(builder, limits::kChunkTuplesMax);
    if (!more) return tl::make_unexpected(more.error());
    supply = *more;
    if (builder.empty()) continue;
    if (auto ok = for_each_tuple(builder.take(), count); !ok)
      return tl::make_unexpected(ok.error());
  }
  plan.gone = match.left();
  plan.output_continues = output && layout.rows() == output->tasks && !output->layout.empty() &&
                          layout.text(output->tasks) == output->layout;
  return plan;
}

// ---- the way in ----

class JournaledJob::Source final : public TupleSource {
 public:
  Source(std::unique_ptr<TupleSource> all, JournaledJob& job) : all_(std::move(all)), job_(job) {}

  void set_signature(const Signature& signature) override { all_->set_signature(signature); }
  int wait_fd() const override { return all_->wait_fd(); }
  bool is_bounded() const override { return all_->is_bounded(); }
  std::vector<std::string> names() const override { return all_->names(); }
  std::optional<std::uint64_t> total() const override { return all_->total(); }

  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override {
    const auto supply = all_->fill(read_, tuples_max);
    if (!read_.empty()) {
      const auto sifted = for_each_tuple(read_.take(), [&](std::string_view tuple) -> Result<void> {
        const auto runs = job_.matched(hash_of(tuple));
        if (!runs) return tl::make_unexpected(runs.error());
        if (!*runs) return {};
        chunk.bytes().append(tuple);
        chunk.tuple_done();
        return {};
      });
      if (!sifted) return tl::make_unexpected(sifted.error());
    }
    return supply;
  }

 private:
  const std::unique_ptr<TupleSource> all_;
  JournaledJob& job_;
  ChunkBuilder read_;
};

JournaledJob::JournaledJob(JournalFile file, bool in_order, std::uint64_t written)
    : file_(std::move(file)),
      in_order_(in_order),
      was_empty_(file_.positions() == 0),
      match_(file_),
      before_(file_),
      next_input_(written) {}

std::unique_ptr<TupleSource> JournaledJob::wrap(std::unique_ptr<TupleSource> source) {
  return std::make_unique<Source>(std::move(source), *this);
}

Result<bool> JournaledJob::matched(const TupleHash& hash) {
  const auto known = match_.find(hash);
  if (!known) return tl::make_unexpected(known.error());
  const std::uint64_t position = *known ? **known : file_.add(hash);
  const std::uint64_t input = layout_.rows();
  layout_.add(position);
  if (!in_order_ && layout_.runs().size() > 1) layout_.drop_front();
  if (*known) {
    const auto outcome = before_.outcome_at(position);
    if (!outcome) return tl::make_unexpected(outcome.error());
    if (*outcome) {
      ++reused_;
      if (in_order_) return false;
      if (!ready_.empty() && ready_.back().input_end() == input &&
          ready_.back().position + ready_.back().count == position) {
        ++ready_.back().count;
      } else {
        ready_.push_back({input, position, 1});
      }
      return false;
    }
  }
  const auto last = jobs_.empty() ? jobs_.end() : std::prev(jobs_.end());
  const bool extends = last != jobs_.end() && last->first + last->second.count == given_ &&
                       last->second.input + last->second.count == input &&
                       last->second.position + last->second.count == position;
  if (extends) {
    ++last->second.count;
    ++last->second.left;
  } else {
    jobs_.emplace_hint(jobs_.end(), given_, Given{input, position, 1, 1});
  }
  ++given_;
  return true;
}

// ---- the way out ----

std::uint64_t JournaledJob::input_of(std::uint64_t job_index) const {
  const auto after = jobs_.upper_bound(job_index);
  if (after == jobs_.begin()) return job_index;
  const auto& [first, given] = *std::prev(after);
  return given.input + (job_index - first);
}

Result<void> JournaledJob::take(const RowsArrived& arrived) {
  const Rows& rows = arrived.rows;
  for (std::uint64_t at = rows.first.value; at < end_of(rows);) {
    auto given = jobs_.upper_bound(at);
    if (given == jobs_.begin())
      return fail(ErrorCode::kProtocol, "the broker sent rows of tasks that it was not given");
    --given;
    const std::uint64_t within = at - given->first;
    if (within >= given->second.count)
      return fail(ErrorCode::kProtocol, "the broker sent rows of tasks that it was not given");
    const std::uint64_t count = std::min(end_of(rows) - at, given->second.count - within);
    const std::uint64_t position = given->second.position + within;
    RowsArrived part{{}, cut(rows, at, count, position), arrived.blob};
    if (auto ok = file_.put(part.rows, part.blob.view()); !ok) return ok;
    if (waits_for_ && *waits_for_ >= position && *waits_for_ < position + count) waits_for_.reset();
    if (!in_order_) ready_.push_back({given->second.input + within, position, count});
    keep_hot(std::move(part));
    given->second.left -= std::min(count, given->second.left);
    // The last one may still grow.
    if (given->second.left == 0 && std::next(given) != jobs_.end()) jobs_.erase(given);
    at += count;
  }
  return {};
}

JournaledJob::HotStretch JournaledJob::keep_hot(RowsArrived arrived) {
  hot_bytes_ += arrived.blob.size();
  const std::uint64_t first = arrived.rows.first.value;
  const std::uint64_t count = arrived.rows.count;
  const auto kept = hot_.insert_or_assign(first, Hot{std::move(arrived), count}).first;
  // All of it is in the file; the farthest is needed last.
  while (hot_bytes_ > kHotBytes && hot_.size() > 1) {
    auto victim = std::prev(hot_.end());
    if (victim == kept) victim = hot_.begin();
    hot_bytes_ -= victim->second.rows.blob.size();
    hot_.erase(victim);
  }
  return kept;
}

Result<RowsArrived> JournaledJob::first_row(const std::string& layout) {
  const std::uint64_t position = Layout::first_position(layout);
  const auto stretch = stretch_at(position);
  if (!stretch) return tl::make_unexpected(stretch.error());
  if (*stretch == hot_.end()) return tl::make_unexpected(missing());
  const RowsArrived& whole = (*stretch)->second.rows;
  return RowsArrived{{}, cut(whole.rows, position, 1, 0), whole.blob};
}

Error JournaledJob::missing() const {
  return {ErrorCode::kMalformedInput,
          file_.path() +
              ": results that were recorded are missing. Begin again with another file "
              "(--journal FILE)"};
}

Result<JournaledJob::HotStretch> JournaledJob::stretch_at(std::uint64_t position) {
  const auto after = hot_.upper_bound(position);
  if (after != hot_.begin() && position < end_of(std::prev(after)->second.rows.rows))
    return std::prev(after);
  const auto found = file_.find(position);
  if (!found) return tl::make_unexpected(found.error());
  if (!*found) return hot_.end();
  auto read = file_.read((*found)->first);
  if (!read) return tl::make_unexpected(read.error());
  return keep_hot(std::move(*read));
}

RowsArrived JournaledJob::hand_over(HotStretch stretch, std::uint64_t position, std::uint64_t count,
                                    std::uint64_t input) {
  const RowsArrived& whole = stretch->second.rows;
  RowsArrived out{{}, cut(whole.rows, position, count, input), whole.blob};
  if (out.rows.outcome != Outcome::kSucceeded) first_not_ok_ = std::min(first_not_ok_, input);
  handed_bytes_ += whole.blob.size() * count / whole.rows.count + 1;
  out.rows.next = handed_bytes_;
  stretch->second.left -= std::min(count, stretch->second.left);
  if (stretch->second.left == 0) {
    hot_bytes_ -= whole.blob.size();
    hot_.erase(stretch);
  }
  return out;
}

Result<std::optional<RowsArrived>> JournaledJob::next() {
  return in_order_ ? next_in_order() : next_as_completed();
}

Result<std::optional<RowsArrived>> JournaledJob::next_in_order() {
  const auto& runs = layout_.runs();
  if (next_input_ >= layout_.rows()) return std::optional<RowsArrived>();
  while (runs[layout_at_].input_end() <= next_input_) ++layout_at_;
  for (; layout_at_ > Layout::kRunsKept; --layout_at_) layout_.drop_front();
  const LayoutRun& run = runs[layout_at_];
  const std::uint64_t position = run.position + (next_input_ - run.input);
  if (waits_for_ == position) return std::optional<RowsArrived>();
  const auto stretch = stretch_at(position);
  if (!stretch) return tl::make_unexpected(stretch.error());
  if (*stretch == hot_.end()) {
    waits_for_ = position;
    return std::optional<RowsArrived>();
  }
  const std::uint64_t count =
      std::min(end_of((*stretch)->second.rows.rows) - position, run.input_end() - next_input_);
  RowsArrived out = hand_over(*stretch, position, count, next_input_);
  next_input_ += count;
  return std::optional(std::move(out));
}

Result<std::optional<RowsArrived>> JournaledJob::next_as_completed() {
  if (ready_.empty()) return std::optional<RowsArrived>();
  LayoutRun& run = ready_.front();
  const auto stretch = stretch_at(run.position);
  if (!stretch) return tl::make_unexpected(stretch.error());
  if (*stretch == hot_.end()) return tl::make_unexpected(missing());
  const std::uint64_t count =
      std::min(end_of((*stretch)->second.rows.rows) - run.position, run.count);
  RowsArrived out = hand_over(*stretch, run.position, count, run.input);
  next_input_ += count;
  run = {run.input + count, run.position + count, run.count - count};
  if (run.count == 0) ready_.pop_front();
  return std::optional(std::move(out));
}

std::optional<std::string> JournaledJob::layout_of(std::uint64_t rows) const {
  if (!in_order_ || rows > first_not_ok_) return {};
  std::string text = layout_.text(rows);
  if (text.empty()) return {};
  return text;
}

}  // namespace fanmill::producer
