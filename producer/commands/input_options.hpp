// The options of map and exec that say how the input is read, and how much of it.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "producer/source.hpp"

namespace fanmill::producer {

struct InputOptions {
  bool lines = false;
  bool null_ended = false;  // lines end with a zero byte
  std::vector<std::string> ranges;
  std::string sample;  // empty: every tuple
  std::uint64_t seed = 0;

  void add_to(CLI::App& app);

  // Neither a path nor lists are needed: there are ranges, or lines of stdin.
  bool needs_no_words() const { return lines || null_ended || !ranges.empty(); }
  // The input that they describe with what else the command line has: a path, or an empty text, and
  // lists. kUsage: options that do not go together.
  Result<InputSpec> describe(const std::string& path, std::vector<ValueSpec> lists) const;
  // The source, or of it what --sample keeps. kUsage.
  Result<std::unique_ptr<TupleSource>> sampled(std::unique_ptr<TupleSource> source) const;
};

}  // namespace fanmill::producer
