#include "proto/job_id.hpp"

#include <fmt/format.h>

#include <charconv>

namespace fanmill {

std::string to_text(JobId job) {
  return fmt::format("{:x}-{}", job.value >> 32, job.value & 0xffffffffU);
}

std::optional<JobId> job_id_from_text(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view front = text.substr(0, dash);
  const std::string_view back = text.substr(dash + 1);
  std::uint32_t epoch = 0;
  std::uint32_t number = 0;
  if (std::from_chars(front.data(), front.data() + front.size(), epoch, 16).ec != std::errc{} ||
      std::from_chars(back.data(), back.data() + back.size(), number).ec != std::errc{}) {
    return std::nullopt;
  }
  const JobId job{(std::uint64_t{epoch} << 32) | number};
  if (to_text(job) != text) return std::nullopt;
  return job;
}

}  // namespace fanmill
