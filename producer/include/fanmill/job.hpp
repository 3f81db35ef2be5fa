// Job<T>: one function over many tuples, and its rows.
//
//   for (auto& row : pool.starmap<double>("norm", points)) {
//     if (row) std::cout << row.index() << ": " << *row << '\n';
//     else     std::cerr << row.error().text() << '\n';
//   }
//
// The range is read lazily, by the thread that iterates and only while it does, as far ahead of the
// rows as credit allows (or JobSettings::read_ahead): an endless one is fine. Lvalue ranges are
// referred to and must outlive the job; temporaries are kept in it. Whatever a range or a callback
// throws passes through, and the job is cancelled.
//
// Leaving the loop, or destroying the Job, cancels what is not done and returns at once. One thread
// at a time may use a Job; cancel() may be called from any.
#pragma once

#include <chrono>
#include <cstdint>
#include <fanmill/detail/engine.hpp>
#include <fanmill/detail/input.hpp>
#include <fanmill/detail/read.hpp>
#include <fanmill/result.hpp>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fanmill {

template <class T>
class Job;

// What became of one task.
template <class T = Value>
class Row {
 public:
  static constexpr std::uint64_t kNoTask = Failure::kNoTask;

  // The task's position in the range, from 0. kNoTask: the job itself could not go on (no such
  // function, the broker is gone), error() says why, and this is its last row.
  std::uint64_t index() const { return index_; }

  bool ok() const { return result_.ok(); }
  explicit operator bool() const { return ok(); }
  // As of Result: value() and operator* throw BadAccess where there is none. May be moved from.
  std::add_lvalue_reference_t<T> value() { return result_.value(); }
  std::add_lvalue_reference_t<const T> value() const { return result_.value(); }
  std::add_lvalue_reference_t<T> operator*() { return value(); }
  std::add_lvalue_reference_t<const T> operator*() const { return value(); }
  auto operator->() { return &value(); }
  auto operator->() const { return &value(); }
  const Failure& error() const { return result_.error(); }
  Result<T>& result() { return result_; }
  const Result<T>& result() const { return result_; }

  std::uint32_t attempt() const { return attempt_; }  // that gave this, from 1
  // Of tasks below about 100 µs: the mean of those that ran together.
  std::chrono::nanoseconds run_time() const { return run_time_; }
  // What the function printed, the first and last 16 KiB; a command's stdout is its value.
  const std::string& out() const { return extras().out; }
  const std::string& err() const { return extras().err; }
  // The parameters, with JobSettings::with_tuples; else null.
  const Value& tuple() const { return extras().tuple; }

 private:
  friend class Job<T>;
  struct Extras {
    std::string out, err;
    Value tuple;
  };
  const Extras& extras() const {
    static const Extras kNone;
    return extras_ ? *extras_ : kNone;
  }
  std::uint64_t index_ = kNoTask;
  Result<T> result_;
  std::chrono::nanoseconds run_time_{0};
  std::shared_ptr<const Extras> extras_;
  std::uint32_t attempt_ = 0;
};

template <class T = Value>
class Job {
 public:
  Job(Job&&) noexcept = default;
  Job& operator=(Job&&) noexcept = default;  // not while it is iterated over

  // Rows as they complete instead of in input order. Before the first row.
  Job as_completed() && {
    request_.as_completed = true;
    return std::move(*this);
  }
  Job& as_completed() & {
    request_.as_completed = true;
    return *this;
  }

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Row<T>;
    using difference_type = std::ptrdiff_t;

    Row<T>& operator*() const { return job_->row_; }
    Row<T>* operator->() const { return &job_->row_; }
    Iterator& operator++() {
      job_->more_ = job_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& at, std::default_sentinel_t) { return at.at_end(); }

   private:
    friend class Job;
    explicit Iterator(Job* job) : job_(job) {}
    bool at_end() const { return !job_->more_; }
    Job* job_;
  };

  // Opens the job, if that is to be done yet, and waits for the next row. A row lives until the
  // iterator moves on.
  Iterator begin() {
    if (!begun_) {
      begun_ = true;
      more_ = advance();
    }
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

  // All rows by a callback: take(Row<T>&). One that returns false cancels the rest. What the job
  // came to, or why it could not go on.
  template <class Take>
  Result<Counts> for_each(Take&& take) {
    for (Row<T>& row : *this) {
      if (row.index() == Row<T>::kNoTask) break;
      if constexpr (std::same_as<std::invoke_result_t<Take&, Row<T>&>, bool>) {
        if (!take(row)) {
          cancel();
          break;
        }
      } else {
        take(row);
      }
    }
    if (const auto failed = failure()) return failed;
    return counts().value_or(Counts{});
  }

  // All values in order, or the first failure (the rest is then cancelled).
  Result<std::conditional_t<std::is_void_v<T>, Counts, std::vector<T>>> values() {
    std::conditional_t<std::is_void_v<T>, Counts, std::vector<T>> all{};
    for (Row<T>& row : *this) {
      if (!row) {
        Failure why = row.error();
        cancel();
        return why;
      }
      if constexpr (!std::is_void_v<T>) all.push_back(std::move(*row));
    }
    if constexpr (std::is_void_v<T>) all = counts().value_or(Counts{});
    return all;
  }

  // Any thread, once the job was begun: no further tuple is taken, what waits is dropped, what runs
  // is killed after `grace`. Every task taken before has its row still.
  void cancel(std::chrono::milliseconds grace = {}) {
    if (stream_) stream_->cancel(grace);
  }

  // After the last row: what the job came to. Nothing: it is not over, or could not go on.
  std::optional<Counts> counts() const { return stream_ ? stream_->counts() : std::nullopt; }
  // Why it could not go on; null: nothing was in its way so far.
  std::shared_ptr<const Failure> failure() const { return stream_ ? stream_->failure() : nullptr; }

 private:
  friend class Pool;
  Job(std::shared_ptr<client::Engine> engine, client::JobRequest request,
      std::unique_ptr<client::Input> input)
      : engine_(std::move(engine)), request_(std::move(request)), input_(std::move(input)) {}

  bool advance() {
    if (in_batch_ < batch_.count) {
      take_row();
      return true;
    }
    return advance_batch();
  }

  bool advance_batch() {
    if (told_failure_) return false;
    try {
      if (!stream_) stream_ = engine_->open(request_);
      batch_.count = in_batch_ = 0;
      while (batch_.count == 0) {
        if (!stream_->next(*input_, batch_)) return last_row();
      }
    } catch (...) {
      if (stream_) stream_->cancel({});
      told_failure_ = true;
      throw;
    }
    values_ = client::Cursor(batch_.values);
    take_row();
    return true;
  }

  bool last_row() {
    auto failed = stream_->failure();
    if (failed == nullptr) return false;
    told_failure_ = true;
    row_ = Row<T>();
    row_.result_ = Result<T>(std::move(failed));
    return true;
  }

  void take_row() {
    const std::size_t i = in_batch_++;
    row_.index_ = batch_.first + i;
    row_.attempt_ = batch_.attempt;
    row_.run_time_ =
        std::chrono::nanoseconds(batch_.run_ns.empty() ? batch_.mean_run_ns : batch_.run_ns[i]);
    if (batch_.notes.empty()) {
      if (row_.extras_) row_.extras_.reset();
      take_value(values_);
    } else {
      take_note(batch_.notes[i]);
    }
  }

  void take_note(client::TaskNote& note) {
    row_.extras_.reset();
    if (note.failure) {
      row_.result_ = Result<T>(std::move(note.failure));
    } else {
      client::Cursor value(note.value);
      take_value(value);
    }
    if (note.out.empty() && note.err.empty() && note.tuple.empty()) return;
    auto extras = std::make_shared<typename Row<T>::Extras>();
    extras->out = std::move(note.out);
    extras->err = std::move(note.err);
    client::Cursor tuple(note.tuple);
    if (!note.tuple.empty()) client::read_any(tuple, extras->tuple);
    row_.extras_ = std::move(extras);
  }

  void take_value(client::Cursor& cursor) {
    if constexpr (std::is_void_v<T>) {
      row_.result_.emplace();
      client::skip_value(cursor);
    } else {
      const client::Cursor start = cursor;
      if (client::read(cursor, row_.result_.emplace())) [[likely]] {
        return;
      }
      cursor = start;
      client::skip_value(cursor);
      row_.result_ = client::wrong_type<T>(row_.index_, row_.attempt_, start);
    }
  }

  std::shared_ptr<client::Engine> engine_;
  client::JobRequest request_;
  std::unique_ptr<client::Input> input_;
  std::unique_ptr<client::Stream> stream_;
  client::Batch batch_;
  std::size_t in_batch_ = 0;
  client::Cursor values_;
  Row<T> row_;
  bool begun_ = false;
  bool more_ = false;
  bool told_failure_ = false;
};

}  // namespace fanmill
