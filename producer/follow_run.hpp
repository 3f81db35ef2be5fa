// The rows of a job that a broker has, written as they come: `gather` follows it to its end,
// `results` shows what is recorded now.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "producer/client.hpp"
#include "producer/console.hpp"
#include "producer/documents.hpp"
#include "producer/progress_output.hpp"
#include "producer/writers.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct FollowOptions {
  JobDocument job;
  std::string broker;  // as people named it
  RowOrder order = RowOrder::kInput;
  std::optional<std::uint64_t> from;  // a cursor; an output with a cursor of its own has that
  WriterOptions writer;
  std::string form;                        // see OutputCursor
  std::vector<std::string> statuses = {};  // rows of these alone; empty: all
  std::optional<std::string> output_path;  // else stdout
  bool quiet = false;
  ProgressMode progress = ProgressMode::kAuto;
};

// Returns the program's exit code: of `gather` by how the job's tasks ended, of `results` 0 where
// they could be written. Everything that went wrong has been told on stderr.
int run_follow(Client& client, Console& console, FollowOptions options);

}  // namespace fanmill::producer
