// XXH3 (64 bits, no seed) over the bytes of a job's tuples, from the first on: by it a producer
// that comes back under the same key knows whether what the broker has is what it has.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace fanmill {

class TupleDigest {
 public:
  TupleDigest();
  TupleDigest(TupleDigest&&) noexcept;
  TupleDigest& operator=(TupleDigest&&) noexcept;
  ~TupleDigest();

  void update(std::string_view bytes);
  // All that is to be known of the bytes so far, to go on with later; false: no such thing.
  std::string save() const;
  bool load(std::string_view saved);

  std::uint64_t value() const;  // of all bytes so far, however they were cut

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fanmill
