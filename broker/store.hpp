// Where jobs, chunks and results are kept. One small interface, so that a file or a shared database
// can stand behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/core/duties.hpp"
#include "proto/blob.hpp"
#include "proto/error.hpp"

namespace fanmill::broker {

class Store {
 public:
  virtual ~Store() = default;

  // Takes writes in order; they count from 1 over the store's life.
  virtual void write(std::vector<StoreWrite> writes) = 0;
  // The number of the last write that is durable at this store's level.
  virtual std::uint64_t durable() const = 0;
  // Nothing if what is named was dropped meanwhile: the message is then not sent.
  virtual std::optional<Blob> read(const ChunkBytes& source) = 0;
  virtual std::optional<Blob> read(const RecordBytes& source) = 0;
  virtual std::string_view level() const = 0;  // "memory", "os", "sync"

  // Readable (an eventfd) after durable(), failure() or full() has changed; -1: they change only
  // within write().
  virtual int event_fd() const { return -1; }
  // What ends the broker: nothing is written any more, and durable() stays where it is.
  virtual std::optional<Error> failure() const { return std::nullopt; }
  // The disk is: writes wait, and no more tuples should be taken.
  virtual bool full() const { return false; }
};

}  // namespace fanmill::broker
