#include "producer/commands/dry_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "producer/command_preview.hpp"
#include "producer/console.hpp"
#include "producer/exit_code.hpp"
#include "producer/map_run.hpp"
#include "producer/preview.hpp"
#include "producer/private_run.hpp"
#include "producer/signals.hpp"
#include "proto/nearest.hpp"
#include "proto/signature.hpp"

namespace fanmill::producer {
namespace {

constexpr std::size_t kTuplesShown = 10;

}  // namespace

Result<void> tell_signature(TupleSource& source, const std::string& function,
                            const std::vector<std::string>& plugins,
                            const std::string& own_executor) {
  const auto offers = private_offers(plugins, own_executor);
  if (!offers) return tl::make_unexpected(offers.error());
  const auto offer = std::ranges::find(*offers, function, &FunctionOffer::name);
  if (offer == offers->end()) {
    std::vector<std::string> names;
    for (const FunctionOffer& one : *offers) names.push_back(one.name);
    const auto nearest = nearest_name(function, names);
    return fail(ErrorCode::kUnknownFunction,
                "there is no function '" + function + "'" +
                    (nearest ? "; did you mean '" + *nearest + "'?" : "") + " (fanmill functions)");
  }
  const auto signature = parse_signature(offer->signature);
  if (signature && !is_trivial(*signature)) source.set_signature(*signature);
  return {};
}

int dry_run_tuples(TupleSource& source, bool quiet) {
  unblock_signals();
  const Preview seen = preview(source, kTuplesShown);
  std::string text;
  for (const std::string& tuple : seen.tuples) text += tuple + "\n";
  if (const int error = write_all(STDOUT_FILENO, text); error != 0) {
    if (error == EPIPE) return 0;  // its reader has seen enough
    std::fprintf(stderr, "fanmill: cannot write to stdout: %s\n", std::strerror(error));
    return exit_code_of(ErrorCode::kSystem);
  }
  if (seen.error) {
    std::fprintf(stderr, "fanmill: %s\n", seen.error->message.c_str());
    return exit_code_of(seen.error->code);
  }
  if (quiet) return 0;
  const std::size_t shown = seen.tuples.size();
  std::string count = "how many tuples there are, only the end of the input would tell";
  if (seen.total) {
    count = std::to_string(*seen.total) + (*seen.total == 1 ? " tuple" : " tuples");
    if (*seen.total > shown) count += ", the first " + std::to_string(shown) + " shown";
  }
  std::fprintf(stderr, "fanmill map --dry-run: %s; nothing was run\n", count.c_str());
  return 0;
}

int dry_run_commands(TupleSource& source, const JobSpec& spec, bool quiet) {
  unblock_signals();
  int error = 0;
  const auto count = preview_commands(source, spec, [&](const std::string& lines) {
    error = write_all(STDOUT_FILENO, lines);
    return error == 0;
  });
  if (error == EPIPE) return 0;  // its reader has seen enough
  if (error != 0) {
    std::fprintf(stderr, "fanmill: cannot write to stdout: %s\n", std::strerror(error));
    return exit_code_of(ErrorCode::kSystem);
  }
  if (!count) {
    std::fprintf(stderr, "fanmill: %s\n", count.error().message.c_str());
    return exit_code_of(count.error().code);
  }
  if (!quiet) {
    std::fprintf(stderr, "fanmill exec --dry-run: %llu command%s; nothing was run\n",
                 static_cast<unsigned long long>(*count), *count == 1 ? "" : "s");
  }
  return 0;
}

}  // namespace fanmill::producer
