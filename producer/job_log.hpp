// The log that GNU parallel writes with --joblog: a line for every command that ran, as its result
// arrives.
//
//   Seq  Host  Starttime  JobRuntime  Send  Receive  Exitval  Signal  Command
//
// with tabs between. Host is ":" in a private run, else the worker's name; Receive counts the bytes
// of stdout; Exitval is -1 where a command was killed at its time limit or could not be tried. A
// newline in Command is written as a zero byte, {%} stays as it is.
#pragma once

#include <memory>
#include <string>

#include "producer/writers.hpp"
#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

struct JobLogOptions {
  std::string path;      // begins with `+`: what is there stays; `-` is stdout
  bool is_local = true;  // a private run
};

// A writer that logs every batch before `rows` writes it. The job's rows must carry tuples. kUsage:
// the file cannot be opened; append() fails with kSystem where it cannot be written.
Result<std::unique_ptr<RowWriter>> make_job_log(const JobLogOptions& options, const JobSpec& spec,
                                                std::unique_ptr<RowWriter> rows);

}  // namespace fanmill::producer
