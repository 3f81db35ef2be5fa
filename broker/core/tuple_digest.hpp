// A running XXH3 (64 bits, no seed) over the bytes of a job's tuples.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace fanmill::broker {

class TupleDigest {
 public:
  TupleDigest();
  TupleDigest(TupleDigest&&) noexcept;
  TupleDigest& operator=(TupleDigest&&) noexcept;
  ~TupleDigest();

  void add(std::string_view bytes);
  std::uint64_t value() const;  // of everything added so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fanmill::broker
