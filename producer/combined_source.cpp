#include "producer/combined_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "producer/pack.hpp"
#include "proto/limits.hpp"

namespace fanmill::producer {

std::optional<std::uint64_t> CombinedSource::Axis::count() const {
  std::optional<std::uint64_t> shortest;
  for (const auto& values : members) {
    const auto count = values->count();
    if (!count) return {};
    shortest = std::min(shortest.value_or(*count), *count);
  }
  return shortest;
}

Result<std::unique_ptr<TupleSource>> CombinedSource::make(std::vector<Part> parts) {
  FANMILL_ASSERT(!parts.empty() && !parts.front().linked);
  if (parts.size() > limits::kTupleElementsMax) {
    return fail(ErrorCode::kUsage, fmt::format("{} lists and ranges are given; a tuple has at most "
                                               "{} parameters",
                                               parts.size(), limits::kTupleElementsMax));
  }
  std::unique_ptr<CombinedSource> source(new CombinedSource);
  source->elements_ = parts.size();
  for (Part& part : parts) {
    if (!part.linked) source->axes_.emplace_back();
    source->axes_.back().members.push_back(std::move(part.values));
  }
  if (auto named = source->take_names(); !named) return tl::make_unexpected(named.error());
  if (auto counted = source->count_tuples(); !counted) return tl::make_unexpected(counted.error());
  source->remember_what_comes_again();
  return source;
}

Result<void> CombinedSource::take_names() {
  bool any = false;
  std::set<std::string> seen;
  for (const Axis& axis : axes_) {
    for (const auto& values : axis.members) {
      std::string& name = names_.emplace_back(values->name());
      any = any || !name.empty();
      if (name.empty()) name = fmt::format("arg{}", names_.size());
      if (!seen.insert(name).second) {
        return fail(ErrorCode::kUsage,
                    fmt::format("two parameters are called \"{}\"; give each --range a name of its "
                                "own (a list has the name of its place, such as arg2)",
                                name));
      }
    }
  }
  if (!any) names_.clear();
  return {};
}

Result<void> CombinedSource::count_tuples() {
  std::uint64_t total = 1;
  for (const Axis& axis : axes_) {
    const auto count = axis.count();
    if (!count) return {};
    if (__builtin_mul_overflow(total, *count, &total)) {
      return fail(ErrorCode::kUsage,
                  "the combinations of all lists and ranges are more tuples than can be counted");
    }
  }
  total_ = total;
  return {};
}

void CombinedSource::remember_what_comes_again() {
  bool again = false;
  for (const Axis& axis : axes_) {
    if (again) {
      for (const auto& values : axis.members) values->remember_all();
    }
    again = again || axis.count() != 1U;
  }
}

bool CombinedSource::is_bounded() const {
  return std::ranges::all_of(axes_, [](const Axis& axis) {
    return std::ranges::all_of(axis.members,
                               [](const auto& values) { return values->is_bounded(); });
  });
}

void CombinedSource::set_signature(const Signature& signature) {
  const auto columns = bind_elements(signature, elements_, names_);
  if (!columns) {
    unfit_ = Error{ErrorCode::kMalformedInput,
                   "the input does not fit the function: " + columns.error().message};
    return;
  }
  std::size_t element = 0;
  for (Axis& axis : axes_) {
    for (const auto& values : axis.members) {
      const std::size_t parameter = (*columns)[element++];
      if (parameter == kNoParameter) continue;
      if (auto fits = values->set_parameter(signature.parameters[parameter]); !fits) {
        unfit_ = fits.error();
        return;
      }
    }
  }
}

Result<Supply> CombinedSource::append_tuple(std::string& out) {
  const std::size_t before = out.size();
  while (true) {
    pack::array_head(out, elements_);
    Result<Supply> got = Supply::kMore;
    std::size_t axis = 0;
    for (; axis < axes_.size(); ++axis) {
      for (const auto& values : axes_[axis].members) {
        got = values->at(axes_[axis].at, out);
        if (got && *got == Supply::kMore) continue;
        if (got && *got == Supply::kNothingNow) wait_fd_ = values->wait_fd();
        break;
      }
      if (!got || *got != Supply::kMore) break;
    }
    if (got && *got == Supply::kMore) {
      if (out.size() - before > limits::kTupleBytesMax) {
        out.resize(before);
        return fail(ErrorCode::kMalformedInput,
                    fmt::format("a tuple of more than {} bytes, made of lines of files",
                                limits::kTupleBytesMax));
      }
      ++axes_.back().at;
      return got;
    }
    out.resize(before);
    // The axis is through: the one before it takes a step. An axis without any value, or the end of
    // the first, ends it all.
    if (!got || *got == Supply::kNothingNow || axis == 0 || axes_[axis].at == 0) return got;
    axes_[axis].at = 0;
    ++axes_[axis - 1].at;
  }
}

Result<Supply> CombinedSource::fill(ChunkBuilder& chunk, std::uint64_t tuples_max) {
  if (unfit_) return tl::make_unexpected(*unfit_);
  while (!at_end_) {
    if (chunk.full() || chunk.tuples() >= tuples_max) return Supply::kMore;
    const auto got = append_tuple(chunk.bytes());
    if (!got || *got == Supply::kNothingNow) return got;
    if (*got == Supply::kEnd) {
      at_end_ = true;
    } else {
      chunk.tuple_done();
    }
  }
  return Supply::kEnd;
}

}  // namespace fanmill::producer
