#include "producer/causes.hpp"

#include <array>
#include <sstream>
#include <vector>

#include "producer/row_batch.hpp"
#include "proto/nearest.hpp"

namespace fanmill::producer {

Result<std::uint32_t> parse_causes(const std::string& text) {
  constexpr std::array kCauses{Outcome::kFailed, Outcome::kCrashed, Outcome::kTimeLimit,
                               Outcome::kWorkerLost, Outcome::kCancelled};
  std::uint32_t causes = 0;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    std::uint32_t found = 0;
    std::vector<std::string> names;
    for (const Outcome cause : kCauses) {
      names.emplace_back(cause_name(cause));
      if (names.back() == word) found = 1U << static_cast<std::uint32_t>(cause);
    }
    if (found == 0) {
      const auto meant = nearest_name(word, names);
      return fail(ErrorCode::kUsage,
                  "--cause " + text + ": there is no \"" + word + "\"; " +
                      (meant ? "did you mean " + *meant + "? There" : std::string("there")) +
                      " are error, crashed, time-limit, worker-lost and cancelled");
    }
    causes |= found;
  }
  if (causes == 0)
    return fail(ErrorCode::kUsage,
                "--cause names no cause; there are error, crashed, time-limit, worker-lost and "
                "cancelled");
  return causes;
}

}  // namespace fanmill::producer
