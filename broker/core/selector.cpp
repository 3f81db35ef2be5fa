#include "broker/core/selector.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "proto/job_id.hpp"

namespace fanmill::broker {
namespace {

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return number;
}

template <class Which>
std::vector<const Job*> jobs_where(const World& world, Which which) {
  std::vector<const Job*> chosen;
  for (const auto& [id, job] : world.jobs)
    if (which(*job)) chosen.push_back(job.get());
  std::sort(chosen.begin(), chosen.end(), [](const Job* a, const Job* b) { return a->id < b->id; });
  return chosen;
}

// A word may mean several things: the first of them that there is counts.
std::vector<const Job*> meant_by(const World& world, std::string_view word) {
  if (const auto id = job_id_from_text(word)) {
    auto chosen = jobs_where(world, [id](const Job& job) { return job.id == *id; });
    if (!chosen.empty()) return chosen;
  }
  if (const auto number = number_of(word)) {
    auto chosen = jobs_where(world, [number](const Job& job) {
      return static_cast<std::uint32_t>(job.id.value) == *number;
    });
    if (!chosen.empty()) return chosen;
  }
  auto chosen = jobs_where(world, [word](const Job& job) { return job.options.name == word; });
  if (!chosen.empty()) return chosen;
  return jobs_where(world, [word](const Job& job) { return job.key == word; });
}

}  // namespace

Result<std::vector<const Job*>> choose_jobs(const World& world, std::string_view selector) {
  if (selector.empty() || selector == "all")
    return jobs_where(world, [](const Job&) { return true; });
  if (selector == "last") {
    const Job* last = nullptr;
    for (const auto& [id, job] : world.jobs)
      if (last == nullptr || job->id > last->id) last = job.get();
    if (last == nullptr) return fail(ErrorCode::kNotFound, "there is no job at this broker");
    return std::vector<const Job*>{last};
  }
  auto chosen = meant_by(world, selector);
  if (chosen.empty())
    return fail(ErrorCode::kNotFound, "no job '" + std::string(selector) + "' at this broker");
  return chosen;
}

}  // namespace fanmill::broker
