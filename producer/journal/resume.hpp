// Opens a journal for a run: is it of the same function, what would be run, and does the output go
// on where it ended.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "producer/journal/journal_file.hpp"
#include "producer/journal/journaled_job.hpp"
#include "producer/source.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct JournalOptions {
  std::string path;
  bool resume = false;
  JournalLevel level = JournalLevel::kOs;
  std::string again;  // the command line that goes on with it
};

// Opens the same input once more. Empty: it can be read only once.
using OpenInput = std::function<Result<std::unique_ptr<TupleSource>>()>;

struct OpenedJournal {
  JournalFile file;
  JournalRun run;  // as it is now; its signature is that of the journal
  // Where the file of -o goes on; nothing: it is written from its beginning.
  std::optional<JournalOutput> output;
  std::vector<std::string> said;  // what is done, what will run, what has changed
};

// `form`: what the output's bytes depend on. `programs`: plugins and executors of one's own.
// kUsage: a journal of another function, or one that holds something without `resume`.
Result<OpenedJournal> open_journal(const JournalOptions& options, const JobSpec& spec,
                                   const std::vector<std::string>& programs,
                                   const std::optional<std::string>& output_path,
                                   const std::string& form, const OpenInput& reopen);

}  // namespace fanmill::producer
