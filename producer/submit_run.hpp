// Tuples on their way to a long-lived broker: a job of one's own (`submit`), or more for one that
// is open (`push`).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "producer/client.hpp"
#include "producer/console.hpp"
#include "producer/documents.hpp"
#include "producer/progress_output.hpp"
#include "producer/source.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct SubmitOptions {
  JobOptions job;
  std::string broker;              // as people named it
  std::optional<std::string> key;  // of people; else one that no other job has
  bool open = false;               // stays open for more
  bool wait = false;               // until the job has ended
  bool quiet = false;
  ProgressMode progress = ProgressMode::kAuto;
};

// Prints the job's id on stdout once the broker has everything. Both return the program's exit
// code; with `wait` it tells how the job's tasks ended. What went wrong has been told on stderr.
int run_submit(Client& client, Console& console, SubmitOptions options,
               std::unique_ptr<TupleSource> source);

struct PushOptions {
  JobDocument job;  // at length
  std::string broker;
  std::optional<std::string> key;
  bool quiet = false;
  ProgressMode progress = ProgressMode::kAuto;
};
int run_push(Client& client, Console& console, PushOptions options,
             std::unique_ptr<TupleSource> source);

}  // namespace fanmill::producer
