// One job of the command line from its opening to its exit code: feeds the source under credit,
// hands rows to the writer thread, shows progress, and listens to signals.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "producer/journal/resume.hpp"
#include "producer/progress_output.hpp"
#include "producer/source.hpp"
#include "producer/writers.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct MapOptions {
  JobOptions job;
  RowOrder order = RowOrder::kInput;
  WriterOptions writer;
  std::optional<std::string> output_path;  // else stdout
  std::optional<std::string> job_log;      // of commands, see job_log.hpp
  std::optional<std::string> broker;       // else a private run
  std::uint32_t slots = 0;                 // of a private run; 0: the cores this process may use
  std::uint64_t spill_max = limits::kResultsCap;  // of a private run
  std::vector<std::string> plugins = {};          // of a private run
  std::string own_executor = {};                  // of a private run
  JournalOptions journal = {};                    // of a private run; without a path there is none
  bool quiet = false;
  ProgressMode progress = ProgressMode::kAuto;

  // As a message names it.
  std::string output_name() const {
    return output_path ? '"' + *output_path + '"' : std::string("stdout");
  }
};

// Returns the program's exit code. Everything that went wrong has been told on stderr.
// `reopen`: the same source once more, for a look ahead; empty: it can be read only once.
int run_map(MapOptions options, std::unique_ptr<TupleSource> source, const OpenInput& reopen = {});

}  // namespace fanmill::producer
