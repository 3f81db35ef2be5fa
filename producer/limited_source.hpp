// The first tuples of another source. What lies behind them is neither read nor waited for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "producer/source.hpp"

namespace fanmill::producer {

class LimitedSource : public TupleSource {
 public:
  LimitedSource(std::unique_ptr<TupleSource> source, std::uint64_t limit);
  void set_signature(const Signature& signature) override { source_->set_signature(signature); }
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override;
  int wait_fd() const override { return source_->wait_fd(); }
  bool is_bounded() const override { return source_->is_bounded(); }
  std::vector<std::string> names() const override { return source_->names(); }
  std::optional<std::uint64_t> total() const override;

 private:
  const std::unique_ptr<TupleSource> source_;
  const std::uint64_t limit_;
  std::uint64_t given_ = 0;
};

}  // namespace fanmill::producer
