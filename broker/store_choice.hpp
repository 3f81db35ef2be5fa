// Which store a broker keeps, by what its command line says.
#pragma once

#include <memory>
#include <string>

#include "broker/core/recovered.hpp"
#include "broker/store.hpp"
#include "proto/error.hpp"

namespace fanmill::broker {

struct StoreChoice {
  std::string file;                 // empty: broker.store in the user's state directory
  std::string durability = "sync";  // or "os", "memory"
};

struct OpenedStore {
  std::unique_ptr<Store> store;
  Recovered recovered;  // its life is this one, whatever the store
  std::string kept;     // for people: where results are kept, and how safely
  std::string file;     // empty: none
};

// kUsage: a file for what is kept in memory, or no directory for one. Else as SqliteStore::open.
Result<OpenedStore> open_store(const StoreChoice& choice, std::uint64_t random);

}  // namespace fanmill::broker
