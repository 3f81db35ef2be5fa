// A journal: what a private run was given and what came of it, in one SQLite file, so that the same
// command line goes on where it was ended. Every tuple that was ever given has a *position* in it,
// from 0 in the order in which they were first seen: there its hash stays, and the row of its task
// once that has ended.
//
// tables   run     one row: the function and the digest of what it is, its plugins
//          tuple   `hashes`: kTupleHashBytes for each of `count` positions from `first` on
//          row     those of one report: positions [first, first + count) ended alike; `head` is a
//                  Rows message as on the wire (its indexes are positions), `bytes` its blob
//          output  one row: how far the rows are safe in the file of -o
// Rows of `tuple` and `row` carry a checksum, verified when they are read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "producer/journal/tuple_hash.hpp"
#include "producer/session.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

enum class JournalLevel : std::uint8_t {
  kOs,    // survives every kill of the run
  kSync,  // and a loss of power
};

// What is done with every tuple. Rows of one run are of no use to a run of another.
struct JournalRun {
  std::string function;   // as people name it: "echo", or a command line
  TupleHash digest;       // of everything that may change its results
  std::string signature;  // by which text was typed; empty before the first worker said it
  std::string plugins;    // their files and digests, one a line; told, when they differ
};

// What was written to -o: the first `tasks` rows of the output, in input order, all succeeded.
struct JournalOutput {
  std::string path;
  std::string form;  // format and columns: what the bytes depend on
  std::uint64_t tasks{};
  std::uint64_t bytes{};
  std::string layout;  // their positions, see Layout
};

class JournalFile {
 public:
  struct Stretch {  // positions that ended alike
    std::uint64_t first{};
    std::uint64_t count{};
    Outcome outcome{};
    std::uint64_t end() const { return first + count; }
  };

  // Makes the file if there is none. kUsage: another run uses it; kMalformedInput, kSystem.
  static Result<JournalFile> open(const std::string& path, JournalLevel level);
  JournalFile(JournalFile&&) noexcept;
  JournalFile& operator=(JournalFile&&) noexcept;
  ~JournalFile();  // what was not committed is lost

  const std::string& path() const;
  JournalLevel level() const;

  Result<std::optional<JournalRun>> run() const;
  Result<void> set_run(const JournalRun& run);
  // Reads everything. kMalformedInput: a checksum is wrong, something is missing or there twice.
  Result<void> verify() const;

  // ---- tuples ----
  std::uint64_t positions() const;
  std::uint64_t add(const TupleHash& hash);  // returns its position
  Result<TupleHash> hash_at(std::uint64_t position) const;

  // ---- rows; `rows` in positions, of positions that have none ----
  Result<void> put(const Rows& rows, std::string_view blob);
  // The stretch that holds the position; nothing: its task has not ended.
  Result<std::optional<Stretch>> find(std::uint64_t position) const;
  // The least position from `position` on that has a row; nothing: none has.
  Result<std::optional<std::uint64_t>> next_recorded(std::uint64_t position) const;
  Result<RowsArrived> read(std::uint64_t first) const;  // the stretch that begins there
  // Rows of tasks that did not succeed: these are run again.
  Result<void> drop_failures();

  Result<std::optional<JournalOutput>> output() const;
  Result<void> set_output(const std::optional<JournalOutput>& output);

  // Everything since the last commit is safe, at the level of this file.
  Result<void> commit();
  std::uint64_t uncommitted_bytes() const;

  // ---- a passing index from hashes to positions, on disk but not in the file ----
  // Of all positions from `first` on.
  Result<void> index_from(std::uint64_t first);
  // Takes the least position of this hash out of the index, or `preferred` if it is there.
  Result<std::optional<std::uint64_t>> take_indexed(const TupleHash& hash, std::uint64_t preferred);

 private:
  struct State;
  explicit JournalFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::producer
