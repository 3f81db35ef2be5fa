// Questions to a broker, one at a time, each with a deadline. For commands that look and steer;
// what follows a job uses Session::ask() within its own loop.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "producer/client.hpp"
#include "producer/documents.hpp"
#include "proto/error.hpp"
#include "proto/messages.hpp"

namespace fanmill::producer {

inline constexpr std::chrono::seconds kAnswerWithin{5};

// "no broker answers at …; start one: fanmill broker --listen …", for `given` on a command line.
std::string no_broker_answers(const std::string& given);

// What kNotFound means of a job that the broker had before.
Error job_is_gone(const std::string& id);

// A client of the broker that was given: a join file or an endpoint. kUsage, kRefused,
// kUnreachable, kSystem, each with what to do; that nobody answers may show only with the first
// question.
Result<Client> connect_to_broker(ChannelContext& context, const std::string& given);

// A broker and the questions to it. Notices of jobs that the client has open are dropped.
class Query {
 public:
  // `given`: as people named the broker, for the sentence of kUnreachable.
  Query(Client& client, std::string given, nanoseconds patience = kAnswerWithin)
      : client_(client), given_(std::move(given)), patience_(patience) {}

  // The documents of what the selector chooses: see Ask. kNotFound: no such job.
  Result<std::vector<JobDocument>> jobs(const std::string& selector, bool detail = false);
  Result<std::vector<WorkerDocument>> workers();
  Result<StatusDocument> status();
  // All or none: see Steer. Any number of jobs; more than limits::kJobsSteeredMax go in several
  // orders. The jobs that still exist, as they are then.
  Result<std::vector<JobDocument>> steer(const std::vector<JobId>& jobs, Steering action,
                                         std::uint64_t grace_ms = 0, std::uint32_t outcomes = 0);
  // The rows of what did not succeed of a job that is kept, as it is now. `take` may end it.
  using TakeFailures = std::function<Result<void>(const Rows& rows, std::string_view blob)>;
  Result<void> failures(JobId job, const TakeFailures& take);

 private:
  Result<Blob> answer(RequestId request);
  Client& client_;
  std::string given_;
  nanoseconds patience_;
};

// The jobs that selectors choose (`last`, `all`, ids, numbers, names, keys), each once, by rising
// id; no selector is every job. kNotFound names the selector that matches nothing and the nearest
// name.
Result<std::vector<JobDocument>> resolve_jobs(Query& query, std::span<const std::string> selectors,
                                              bool detail = false);
// The one job that a selector chooses. kUsage: it chooses several.
Result<JobDocument> resolve_job(Query& query, const std::string& selector, bool detail = false);

}  // namespace fanmill::producer
