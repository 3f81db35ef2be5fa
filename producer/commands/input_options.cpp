#include "producer/commands/input_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "producer/sampled_source.hpp"

namespace fanmill::producer {

void InputOptions::add_to(CLI::App& app) {
  app.add_flag("--lines", lines,
               "Every line of INPUT, or of stdin, is one text; no JSON, and no number unless the "
               "function takes one");
  app.add_flag("-0,--null", null_ended,
               "Lines end with a zero byte, as find -print0 writes them: of --lines, which it "
               "implies, and of files behind ::::");
  app.add_option("--range", ranges,
                 "Numbers from FIRST to LAST, both included, as the parameter NAME: n=1..10, "
                 "x=0..1..0.25; several make all combinations, also with ::: lists")
      ->type_name("NAME=FIRST..LAST[..STEP]")
      ->allow_extra_args(false);  // the next word is the function, not a second range
  app.add_option("--sample", sample,
                 "Keep each tuple with this probability, the same ones at every run: 10%, 0.1%")
      ->type_name("P%");
  app.add_option("--seed", seed, "Another number makes another --sample")
      ->type_name("N")
      ->capture_default_str();
}

Result<InputSpec> InputOptions::describe(const std::string& path,
                                         std::vector<ValueSpec> lists) const {
  InputSpec spec{.lines = lines, .ranges = ranges, .lists = std::move(lists)};
  if (!path.empty()) spec.path = path;
  if (null_ended) {
    const bool has_files =
        std::ranges::any_of(spec.lists, [](const ValueSpec& list) { return list.files; });
    if (!has_files && (!spec.lists.empty() || !spec.ranges.empty())) {
      return fail(ErrorCode::kUsage,
                  "-0 says how lines end, and no lines are read: they come from --lines or from "
                  "files behind `::::`");
    }
    spec.lines = spec.lines || !has_files;
    spec.line_end = '\0';
  }
  return spec;
}

Result<std::unique_ptr<TupleSource>> InputOptions::sampled(
    std::unique_ptr<TupleSource> source) const {
  if (sample.empty()) {
    if (seed == 0) return source;
    return fail(ErrorCode::kUsage, "--seed goes with --sample, such as --sample 10%");
  }
  const auto share = parse_share(sample);
  if (!share) return tl::make_unexpected(share.error());
  return std::make_unique<SampledSource>(std::move(source), *share, seed);
}

}  // namespace fanmill::producer
