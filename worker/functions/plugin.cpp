#include "worker/functions/plugin.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "proto/limits.hpp"
#include "proto/signature.hpp"
#include "proto/value.hpp"
#include "worker/functions/utf8.hpp"
#include "worker/plugin/include/fanmill/plugin.h"

namespace fanmill::worker {
namespace {

// What a plugin of the first minor version has of each struct.
constexpr std::size_t kPluginBytesMin = offsetof(fanmill_plugin, functions) + sizeof(void*);
constexpr std::size_t kFunctionBytesMin = offsetof(fanmill_function, destroy) + sizeof(void*);

// ---- the host ----

// The call that runs, as its plugin's `host`.
struct Host {
  std::string* value = nullptr;
  std::string failure;
  const executor::Page* page = nullptr;
  std::uint64_t job = 0;
  bool has_logged = false;
};

Host& host_of(void* host) { return *static_cast<Host*>(host); }

void append(void* host, const char* bytes, std::size_t count) {
  if (host_of(host).value != nullptr) host_of(host).value->append(bytes, count);
}

void take_failure(void* host, const char* text, std::size_t length) {
  host_of(host).failure.assign(text, std::min(length, limits::kFailureMessageMax));
}

bool shows_debug() {
  static const bool shown = [] {
    const char* const level = getenv("FANMILL_LOG");
    return level != nullptr && (strcmp(level, "debug") == 0 || strcmp(level, "trace") == 0);
  }();
  return shown;
}

// Written at once, so that the last words of a task that crashes are there.
void log_line(void* host, int level, const char* text, std::size_t length) {
  if (level <= FANMILL_LOG_DEBUG && !shows_debug()) return;
  static constexpr const char* kNames[] = {"debug: ", "info: ", "warning: ", "error: "};
  std::string line = kNames[std::clamp(level, 0, 3)];
  line.append(text, std::min(length, limits::kCaptureHead)).push_back('\n');
  static_cast<void>(!write(STDERR_FILENO, line.data(), line.size()));
  host_of(host).has_logged = true;
}

int is_cancelled(void* host) {
  const Host& of = host_of(host);
  return of.page != nullptr && of.page->stopped_job.load() == of.job ? 1 : 0;
}

constexpr fanmill_host_table kTable{
    sizeof(fanmill_host_table), 0, append, take_failure, log_line, is_cancelled};

bool descriptors_are_used_up() {
  const int probe = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  if (probe >= 0) {
    close(probe);
    return false;
  }
  return errno == EMFILE;
}

// ---- functions ----

struct Offered {
  const fanmill_function* abi;
  FunctionOffer offer;
  Signature signature;
  const executor::Page* page;
  std::uint32_t slot;
};

tl::unexpected<Failure> failure(ErrorCode code, std::string message) {
  Failure out;
  out.code = code;
  out.message = std::move(message);
  return tl::make_unexpected(std::move(out));
}

// Most results are a number, a bool or nothing, and need no general reader.
bool is_one_value(std::string_view bytes) {
  if (bytes.empty()) return false;
  const auto byte = static_cast<unsigned char>(bytes[0]);
  if (byte < 0x80 || byte >= 0xe0 || byte == 0xc0 || byte == 0xc2 || byte == 0xc3) {
    return bytes.size() == 1;
  }
  if (byte >= 0xcc && byte <= 0xd3) return bytes.size() == 1 + (std::size_t{1} << (byte & 3U));
  if (byte == 0xcb) return bytes.size() == 9;
  std::size_t at = 0;
  return skip_msgpack(bytes, at, 1) && at == bytes.size();
}

class PluginFunction : public Function {
 public:
  PluginFunction(const Offered& offered, const JobSpec& spec)
      : offered_(offered),
        names_(spec.names),
        limit_(std::chrono::milliseconds(
            std::min<std::uint64_t>(spec.time_limit_ms, 1000ull * 3600 * 24 * 3650))) {
    host_.page = offered.page;
    call_.size = sizeof call_;
    call_.table = &kTable;
    call_.host = &host_;
    call_.slot = offered.slot;
    if (!names_.empty()) {
      auto columns = bind_elements(offered.signature, names_.size(), names_);
      if (columns) {
        columns_ = std::move(*columns);
      } else {
        refused_ = offered.offer.name + ": " + columns.error().message;
      }
    }
    if ((offered.abi->flags & FANMILL_CHECKS_TUPLES) == 0 && !is_trivial(offered.signature)) {
      check_.emplace(offered.signature, columns_);
    }
  }
  PluginFunction(const PluginFunction&) = delete;
  PluginFunction& operator=(const PluginFunction&) = delete;
  ~PluginFunction() override {
    if (is_created_ && offered_.abi->destroy != nullptr) {
      offered_.abi->destroy(offered_.abi, instance_);
    }
  }

  tl::expected<void, Failure> call(Call& call) override {
    host_.value = call.value;
    host_.job = call.job.value;
    if (!is_created_) {
      if (auto made = create(); !made) return made;
    }
    if (check_) {
      if (const auto fault = (*check_)(call.tuple.bytes)) {
        return failure(ErrorCode::kBadArguments, offered_.offer.name + ": " + fault->message);
      }
    }
    call_.attempt = call.attempt;
    call_.tuple = call.tuple.bytes.data();
    call_.tuple_bytes = call.tuple.bytes.size();
    call_.index = call.index.value;
    call_.token_counter = call.token.counter;
    call_.token_epoch = call.token.epoch;
    if (limit_.count() > 0) call_.deadline_ns = deadline();

    const int answer = offered_.abi->call(offered_.abi, instance_, &call_);
    if (host_.has_logged) {
      host_.has_logged = false;
      call.has_printed = true;
    }
    if (answer != FANMILL_OK) return failed(call, answer);
    if (!is_one_value(*call.value)) {
      return failure(ErrorCode::kFunctionFailed,
                     offered_.offer.name +
                         ": what it appended is not one msgpack value, or is nested too deeply");
    }
    return {};
  }

 private:
  // With the first task, which is charged for what happens here.
  tl::expected<void, Failure> create() {
    if (!refused_.empty()) return failure(ErrorCode::kBadArguments, refused_);
    if (offered_.abi->create != nullptr) {
      std::vector<fanmill_text> names;
      for (const std::string& name : names_) names.push_back({name.data(), name.size()});
      fanmill_binding binding{};
      binding.size = sizeof binding;
      binding.table = &kTable;
      binding.host = &host_;
      binding.column_count = columns_.size();
      binding.columns = names.data();
      binding.parameter_of_column = columns_.data();
      static_assert(kNoParameter == FANMILL_NO_PARAMETER);
      const int answer = offered_.abi->create(offered_.abi, &binding, &instance_);
      if (answer != FANMILL_OK) return refusal(answer);
    }
    is_created_ = true;
    return {};
  }

  tl::unexpected<Failure> refusal(int answer) {
    std::string message = std::exchange(host_.failure, {});
    if (message.empty()) message = offered_.offer.name + " failed without a reason";
    make_utf8(message);
    return failure(
        answer == FANMILL_BAD_ARGUMENTS ? ErrorCode::kBadArguments : ErrorCode::kFunctionFailed,
        std::move(message));
  }

  tl::unexpected<Failure> failed(Call& call, int answer) {
    auto refused = refusal(answer);
    if (answer == FANMILL_FAILED && descriptors_are_used_up()) {
      rlimit limit{};
      getrlimit(RLIMIT_NOFILE, &limit);
      refused.value().message += " (its executor has all " + std::to_string(limit.rlim_cur) +
                                 " descriptors open, and is replaced)";
      call.executor_is_spent = true;
    }
    return refused;
  }

  static void make_utf8(std::string& text) {
    if (is_utf8(text)) return;
    for (char& c : text) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }

  std::uint64_t deadline() const {
    const auto at = std::chrono::steady_clock::now().time_since_epoch() + limit_;
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(at).count());
  }

  const Offered& offered_;  // for ever, as the library
  std::vector<std::string> names_;
  std::vector<std::size_t> columns_;
  std::string refused_;
  std::optional<TupleCheck> check_;
  std::chrono::milliseconds limit_;
  bool is_created_ = false;
  void* instance_ = nullptr;
  Host host_;
  fanmill_call call_{};
};

// ---- loading ----

tl::unexpected<Error> refuse(const std::string& file, const std::string& why) {
  return fail(ErrorCode::kUsage, "the plugin " + file + " " + why);
}

bool is_elf(const std::string& file) {
  char magic[4] = {};
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  const ssize_t count = read(descriptor, magic, sizeof magic);
  close(descriptor);
  return count == sizeof magic && std::string_view(magic, sizeof magic) ==
                                      "\x7f"
                                      "ELF";
}

Result<const fanmill_plugin*> load(const std::string& file) {
  if (access(file.c_str(), R_OK) != 0) {
    return refuse(file, std::string("cannot be read: ") + strerror(errno));
  }
  // A name without a slash would be looked for in the system's folders.
  const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::string why = dlerror();
    if (why.starts_with(path + ": ")) why.erase(0, path.size() + 2);
    if (!is_elf(file)) why += " (a plugin is a shared library: g++ -std=c++20 -shared -fPIC …)";
    return refuse(file, "does not load: " + why);
  }
  const auto entry =
      reinterpret_cast<fanmill_plugin_entry_function>(dlsym(library, FANMILL_PLUGIN_ENTRY));
  if (entry == nullptr) {
    return refuse(file,
                  "is a shared library, but no plugin: it exports no " FANMILL_PLUGIN_ENTRY
                  " (include <fanmill/plugin.hpp>, and name functions with FANMILL_FUNCTION)");
  }
  const fanmill_plugin* const plugin = entry();
  if (plugin == nullptr) return refuse(file, "gives no table of functions");
  if (plugin->abi_major != FANMILL_PLUGIN_ABI_MAJOR) {
    const auto version = [](unsigned major, unsigned minor) {
      return std::to_string(major) + "." + std::to_string(minor);
    };
    return refuse(file, "was built for version " + version(plugin->abi_major, plugin->abi_minor) +
                            " of the plugin interface, and this fanmill has version " +
                            version(FANMILL_PLUGIN_ABI_MAJOR, FANMILL_PLUGIN_ABI_MINOR) +
                            ": build it again with this fanmill's headers");
  }
  if (plugin->size < kPluginBytesMin) return refuse(file, "gives a table that is too short");
  if (plugin->error != nullptr) return refuse(file, std::string("is no use: ") + plugin->error);
  if (plugin->function_count == 0) return refuse(file, "offers no function");
  if (plugin->function_count > limits::kFunctionsMax) {
    return refuse(file, "offers more than " + std::to_string(limits::kFunctionsMax) + " functions");
  }
  return plugin;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kNameBytesMax && is_utf8(name) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; });
}

}  // namespace

Result<void> add_plugin(Registry& registry, const std::string& file, const executor::Page* page,
                        std::uint32_t slot) {
  const auto plugin = load(file);
  if (!plugin) return tl::make_unexpected(plugin.error());
  std::vector<Offered> offered;
  for (std::size_t i = 0; i < (*plugin)->function_count; ++i) {
    const fanmill_function* const one = (*plugin)->functions[i];
    if (one == nullptr || one->size < kFunctionBytesMin || one->name == nullptr ||
        one->signature == nullptr || one->call == nullptr) {
      return refuse(file, "gives a function without name, signature or call");
    }
    const std::string name = one->name;
    if (!is_name(name)) return refuse(file, "gives a function a name that is none");
    auto signature = parse_signature(one->signature);
    if (!signature) {
      return refuse(file, "gives " + name + " no proper signature: " + signature.error().message);
    }
    if (const std::string* origin = registry.origin_of(name)) {
      if (*origin == file) return refuse(file, "is given twice; once is enough");
      return refuse(file, "offers " + name + ", which " +
                              (origin->empty() ? "is built in" : *origin + " offers already") +
                              ": give it another name");
    }
    for (const Offered& before : offered) {
      if (before.offer.name == name) return refuse(file, "offers " + name + " twice");
    }
    offered.push_back({one, {name, to_string(*signature)}, std::move(*signature), page, slot});
  }
  for (Offered& one : offered) {
    // A bound function may outlive the registry; the library lives as long as the process.
    const auto kept = std::make_shared<const Offered>(std::move(one));
    registry.add(
        kept->offer,
        [kept](const JobSpec& spec) { return std::make_unique<PluginFunction>(*kept, spec); },
        file);
  }
  return {};
}

}  // namespace fanmill::worker
