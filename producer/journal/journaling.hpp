// A run with a journal: what map_run does beside what it does without. Rows come here from the
// session and go from here to the writer; at times everything is made safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "producer/journal/journaled_job.hpp"
#include "producer/journal/resume.hpp"
#include "producer/source.hpp"
#include "producer/writer_thread.hpp"
#include "producer/writers.hpp"
#include "proto/clock.hpp"

namespace fanmill::producer {

class Journaling {
 public:
  struct Output {
    int fd = -1;       // of a regular file that -o names; -1: there is none to go on with
    std::string path;  // absolute
    std::string form;
  };
  Journaling(OpenedJournal opened, bool in_order, Output output);

  std::unique_ptr<TupleSource> wrap(std::unique_ptr<TupleSource> source) {
    return job_.wrap(std::move(source));
  }
  // Where the output goes on, `writer` formats the first row once more, so that it goes on in the
  // same columns.
  Result<void> prime(RowWriter& writer);

  // The signature by which the input will be typed. kUsage: not the one that it was typed by.
  Result<void> opened(const std::string& signature);
  bool may_feed() const { return !job_.is_ahead(); }
  Result<void> take(const RowsArrived& arrived) { return job_.take(arrived); }
  // Hands to the writer what it has room for; true: more is there already.
  Result<bool> write(WriterThread& writer);
  // Makes safe what came, if enough of it or enough time has.
  Result<void> save_at_times(WriterThread& writer, MonoTime now);
  Result<void> save(WriterThread& writer, MonoTime now);
  // When save_at_times() will do something; nothing: never, as it stands.
  std::optional<MonoTime> save_at() const;

  const JournaledJob& job() const { return job_; }

 private:
  JournaledJob job_;
  JournalRun run_;
  const Output output_;
  const std::optional<JournalOutput> goes_on_;
  JournalLevel level_;
  MonoTime saved_at_{};
  std::uint64_t rows_saved_ = 0;  // as the file's output says
};

}  // namespace fanmill::producer
