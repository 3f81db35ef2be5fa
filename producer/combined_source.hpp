// Tuples from several sources of values: `::: a b ::: 1 2` crosses them, the last one fastest;
// a linked source (`:::+`) goes in step with the one before it, and the shorter one ends both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "producer/source.hpp"
#include "producer/values.hpp"

namespace fanmill::producer {

class CombinedSource : public TupleSource {
 public:
  struct Part {
    std::unique_ptr<Values> values;
    bool linked = false;  // to the part before it
  };
  // At least one part, the first not linked. The first axis streams; what varies faster than it is
  // kept in memory from its first pass on, ranges excepted. kUsage: more tuples than can be
  // counted, a name twice.
  static Result<std::unique_ptr<TupleSource>> make(std::vector<Part> parts);

  void set_signature(const Signature& signature) override;
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  int wait_fd() const override { return wait_fd_; }
  bool is_bounded() const override;
  std::vector<std::string> names() const override { return names_; }
  std::optional<std::uint64_t> total() const override { return total_; }

 private:
  // Values that go in step.
  struct Axis {
    std::vector<std::unique_ptr<Values>> members;
    std::uint64_t at = 0;  // of the next tuple
    std::optional<std::uint64_t> count() const;
  };

  CombinedSource() = default;
  Result<void> take_names();
  Result<void> count_tuples();
  void remember_what_comes_again();
  // Appends the next tuple, or steps back to the axis whose turn it is; kEnd after the last.
  Result<Supply> append_tuple(std::string& out);

  std::vector<Axis> axes_;
  std::size_t elements_ = 0;
  std::vector<std::string> names_;
  std::optional<std::uint64_t> total_;
  std::optional<Error> unfit_;  // for the function
  int wait_fd_ = -1;
  bool at_end_ = false;
};

}  // namespace fanmill::producer
