#include "broker/store_choice.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "broker/keyring.hpp"
#include "broker/memory_store.hpp"
#include "broker/sqlite/sqlite_store.hpp"

namespace fanmill::broker {
namespace {

// The directory is made where it is ours to choose.
Result<std::string> default_file() {
  const std::string directory = state_directory();
  if (directory.empty())
    return fail(ErrorCode::kUsage,
                "no directory for the store: neither XDG_STATE_HOME nor HOME is set; name a file "
                "with --store FILE, or keep results in memory with --durability memory");
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) {
    std::filesystem::create_directories(directory, error);
    if (!error) ::chmod(directory.c_str(), 0700);
  }
  if (error)
    return fail(ErrorCode::kSystem, "cannot make the directory " + directory + " for the store: " +
                                        error.message() + "; name a file with --store FILE");
  return directory + "/broker.store";
}

}  // namespace

Result<OpenedStore> open_store(const StoreChoice& choice, std::uint64_t random) {
  OpenedStore opened;
  if (choice.durability == "memory") {
    if (!choice.file.empty())
      return fail(
          ErrorCode::kUsage,
          "--store names a file, and --durability memory keeps none: leave one of them out");
    opened.store = std::make_unique<MemoryStore>();
    // Nothing tells this life of the broker from an earlier one but chance: a worker may still hold
    // results for jobs of that one, whose ids must not be ours.
    opened.recovered.life = {static_cast<std::uint32_t>(random) | 1U,
                             static_cast<std::uint32_t>(random >> kLeaseBits)};
    opened.kept = "in memory and end with this process";
    return opened;
  }
  SqliteStoreOptions options;
  options.durability =
      choice.durability == "os" ? sqlite::Durability::kOs : sqlite::Durability::kSync;
  options.path = choice.file;
  if (options.path.empty()) {
    auto file = default_file();
    if (!file) return tl::make_unexpected(std::move(file.error()));
    options.path = std::move(*file);
  }
  auto store = SqliteStore::open(options, random);
  if (!store) return tl::make_unexpected(std::move(store.error()));
  opened.recovered = (*store)->take_recovered();
  opened.file = options.path;
  opened.kept = "in " + options.path +
                (options.durability == sqlite::Durability::kSync
                     ? " (sync: on the disk before anybody is told)"
                     : " (os: they survive the broker, but not a power cut)");
  opened.store = std::move(*store);
  return opened;
}

}  // namespace fanmill::broker
