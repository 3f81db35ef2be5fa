// One source of values among those that a CombinedSource crosses or zips: a list, the lines of a
// file, a range. Values are addressed by their number, so that a product can come back to them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "producer/line_reader.hpp"
#include "producer/range.hpp"
#include "producer/source.hpp"
#include "producer/text_reader.hpp"

namespace fanmill::producer {

class Values {
 public:
  Values() = default;
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  virtual ~Values() = default;

  // Appends value `i` as msgpack: kMore. Else `out` is as it was, and there is no such value (kEnd)
  // or it has not come yet (kNothingNow). `i` grows by one at most from call to call; it may fall
  // back only after remember_all().
  virtual Result<Supply> at(std::uint64_t i, std::string& out) = 0;
  virtual void remember_all() {}
  // What the values are for; before the first at(). kMalformedInput: they cannot be that.
  virtual Result<void> set_parameter(const Parameter& parameter) = 0;

  virtual std::optional<std::uint64_t> count() const { return {}; }
  virtual std::string name() const { return {}; }  // of the parameter; may be empty
  virtual int wait_fd() const { return -1; }
  virtual bool is_bounded() const { return true; }
};

class ListedValues : public Values {
 public:
  explicit ListedValues(std::vector<std::string> texts) : values_(std::move(texts)) {}
  Result<void> set_parameter(const Parameter& parameter) override;
  Result<Supply> at(std::uint64_t i, std::string& out) override;
  std::optional<std::uint64_t> count() const override { return values_.size(); }

 private:
  Result<void> pack_with(TextReader& reader);

  std::vector<std::string> values_;  // as they were typed, then as msgpack
  bool packed_ = false;
};

class RangeValues : public Values {
 public:
  explicit RangeValues(Range range) : range_(std::move(range)) {}
  Result<void> set_parameter(const Parameter& parameter) override;
  Result<Supply> at(std::uint64_t i, std::string& out) override;
  std::optional<std::uint64_t> count() const override { return range_.count; }
  std::string name() const override { return range_.name; }

 private:
  const Range range_;
};

// Every line, byte for byte without its end, is one value.
class LineValues : public Values {
 public:
  // kGuessed: as the words behind `:::`. A line ends with `line_end`.
  LineValues(InputFd input, TextReader::Untyped untyped, char line_end = '\n');
  Result<void> set_parameter(const Parameter& parameter) override;
  Result<Supply> at(std::uint64_t i, std::string& out) override;
  void remember_all() override { remember_all_ = true; }
  int wait_fd() const override { return reader_.input().fd(); }
  bool is_bounded() const override { return reader_.input().is_regular_file(); }

 private:
  LineReader reader_;
  TextReader text_;
  bool remember_all_ = false;
  bool at_end_ = false;
  std::vector<std::string> kept_;  // msgpack, up to value read_ - 1: all, or that one alone
  std::uint64_t read_ = 0;
};

}  // namespace fanmill::producer
