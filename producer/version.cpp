#include "producer/version.hpp"

#include <csv.h>
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <simdjson.h>
#include <spdlog/version.h>
#include <zmq.h>

#include <CLI/Version.hpp>
#include <iterator>
#include <msgpack/version.hpp>
#include <roaring/roaring.hh>
#include <tl/expected.hpp>
#include <zmq.hpp>

#include "producer/progress.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {
namespace {

std::string dotted(int major, int minor, int patch) {
  return fmt::format("{}.{}.{}", major, minor, patch);
}

std::string zmq_at_run_time() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  zmq_version(&major, &minor, &patch);
  return dotted(major, minor, patch);
}

}  // namespace

std::string version_text() {
  std::string out = fmt::format(
      "fanmill {}\n"
      "protocols: wire {}, executor {}; schema of --progress=json {}\n"
      "libraries:\n",
      FANMILL_VERSION, kProtocolVersion, kExecutorProtocolVersion, kProgressSchema);
  const auto add = [&](const char* name, const std::string& version) {
    fmt::format_to(std::back_inserter(out), "  {:<12} {}\n", name, version);
  };
  add("libzmq", zmq_at_run_time());
  add("cppzmq", dotted(CPPZMQ_VERSION_MAJOR, CPPZMQ_VERSION_MINOR, CPPZMQ_VERSION_PATCH));
  add("msgpack-cxx", msgpack_version());
  add("spdlog", dotted(SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH));
  add("fmt", dotted(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100));
  add("tl-expected",
      dotted(TL_EXPECTED_VERSION_MAJOR, TL_EXPECTED_VERSION_MINOR, TL_EXPECTED_VERSION_PATCH));
  add("CRoaring", dotted(ROARING_VERSION_MAJOR, ROARING_VERSION_MINOR, ROARING_VERSION_REVISION));
  add("simdjson", dotted(simdjson::SIMDJSON_VERSION_MAJOR, simdjson::SIMDJSON_VERSION_MINOR,
                         simdjson::SIMDJSON_VERSION_REVISION) +
                      " (" + simdjson::get_active_implementation()->name() + ")");
  add("libcsv", dotted(CSV_MAJOR, CSV_MINOR, CSV_RELEASE));
  add("CLI11", CLI11_VERSION);
  add("glibc", gnu_get_libc_version());
  return out;
}

}  // namespace fanmill::producer
