// Where a job's tuples come from. A source is pulled: it reads nothing that nobody asked for, so an
// endless input is legal.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/chunk.hpp"
#include "proto/error.hpp"
#include "proto/signature.hpp"

namespace fanmill::producer {

enum class Supply : std::uint8_t {
  kMore,        // ask again; usually the chunk is as full as was asked for
  kNothingNow,  // wait until wait_fd() is readable
  kEnd,
};

class TupleSource {
 public:
  TupleSource() = default;
  TupleSource(const TupleSource&) = delete;
  TupleSource& operator=(const TupleSource&) = delete;
  virtual ~TupleSource() = default;

  // What the function takes, told at most once and before the first fill(): text becomes what it
  // says, and every tuple is held against it. What does not fit is an error of fill(). Who wraps a
  // source hands it on.
  virtual void set_signature(const Signature& /*signature*/) {}

  // Appends whole tuples until the chunk is full() or holds `tuples_max`. Never blocks. An error
  // (kMalformedInput names source, line, column and reason; kSystem) ends the source; the tuples
  // appended before it stand.
  virtual Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) = 0;

  // Of what fill() waits for.
  virtual int wait_fd() const { return -1; }
  // It comes from the command line and from files alone, so that reading it to its end ends.
  virtual bool is_bounded() const { return false; }
  // Of the positional elements of every tuple; empty where they have none.
  virtual std::vector<std::string> names() const { return {}; }
  // How many tuples there are in all, where that is known beforehand.
  virtual std::optional<std::uint64_t> total() const { return {}; }
};

// One of the sources behind the marks of the command line: `:::` `:::+` `::::` `::::+`.
struct ValueSpec {
  bool files = false;   // the words are files, a source each, whose lines are the values
  bool linked = false;  // goes in step with the source before it
  std::vector<std::string> words;
  friend bool operator==(const ValueSpec&, const ValueSpec&) = default;
};

// What the command line says about the input: a path, or ranges and lists in any mixture.
struct InputSpec {
  std::optional<std::string> path = {};  // a file, or "-"
  bool lines = false;                    // every line of it is one text; without a path of stdin
  std::vector<std::string> ranges = {};  // one per --range, before the lists
  std::vector<ValueSpec> lists = {};     // one per mark
  char line_end = '\n';                  // of --lines and of the files behind `::::`
  bool is_nothing() const { return !path && !lines && ranges.empty() && lists.empty(); }
};

// kUsage: no such file, a directory, an ending that says nothing, an empty list, two kinds of input
// at once.
Result<std::unique_ptr<TupleSource>> open_source(const InputSpec& spec);

}  // namespace fanmill::producer
