#include "producer/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "producer/visible_text.hpp"
#include "proto/find_broker.hpp"
#include "proto/limits.hpp"
#include "proto/nearest.hpp"

namespace fanmill::producer {
namespace {

// Looks so often whether the broker's host answers at all.
constexpr auto kLookEvery = std::chrono::milliseconds(100);

std::string id_and_name(const JobDocument& job) {
  return job.name.empty() ? job.id : job.id + " (" + visible(job.name) + ")";
}

}  // namespace

std::string no_broker_answers(const std::string& given) {
  if (given.find("://") != std::string::npos) {
    return fmt::format("no broker answers at {0}; start one: fanmill broker --listen {0}", given);
  }
  return fmt::format("the broker of {} does not answer; is it running, and reached from this host?",
                     given);
}

Error job_is_gone(const std::string& id) {
  return {
      ErrorCode::kUnreachable,
      fmt::format("the broker has no job {} any more: it was restarted without a durable store, "
                  "or somebody made it forget the job",
                  id)};
}

Result<Client> connect_to_broker(ChannelContext& context, const std::string& given) {
  auto address = find_broker(given, "producer");
  if (!address) {
    Error error = address.error();
    if (error.code == ErrorCode::kNotFound) {
      error.message += "; copy producer.join from the broker's host, or give ipc://PATH (--broker)";
    }
    return tl::make_unexpected(std::move(error));
  }
  auto client = Client::connect(context, *address);
  if (client) return client;
  Error error = client.error();
  if (error.code == ErrorCode::kUnreachable && given.starts_with("ipc://")) {
    error.message += "; start one: fanmill broker --listen " + given;
  }
  return tl::make_unexpected(std::move(error));
}

Result<Blob> Query::answer(RequestId request) {
  Session& session = client_.session();
  const MonoTime until = mono_now() + patience_;
  while (true) {
    for (Notice& notice : client_.pump(kLookEvery)) {
      if (auto* const here = std::get_if<AnswerArrived>(&notice)) {
        if (here->request == request) return std::move(here->document);
      } else if (auto* const no = std::get_if<RequestRefused>(&notice)) {
        if (no->request == request) return tl::make_unexpected(std::move(no->error));
      }
    }
    const auto& trouble = client_.connect_error();
    if (trouble && trouble->code == ErrorCode::kRefused) {
      session.drop(request);
      return tl::make_unexpected(*trouble);
    }
    if (mono_now() < until) continue;
    session.drop(request);
    if (trouble) return tl::make_unexpected(*trouble);
    if (!session.is_connected()) return fail(ErrorCode::kUnreachable, no_broker_answers(given_));
    return fail(ErrorCode::kUnreachable,
                "the broker at " + given_ +
                    " is there and does not answer; it may be of a version that cannot be asked");
  }
}

Result<std::vector<JobDocument>> Query::jobs(const std::string& selector, bool detail) {
  const auto request =
      client_.session().ask(detail ? Topic::kJobDetail : Topic::kJobs, selector, mono_now());
  return answer(request).and_then([](const Blob& blob) { return read_jobs(blob.view()); });
}

Result<std::vector<WorkerDocument>> Query::workers() {
  return answer(client_.session().ask(Topic::kWorkers, "", mono_now()))
      .and_then([](const Blob& blob) { return read_workers(blob.view()); });
}

Result<StatusDocument> Query::status() {
  return answer(client_.session().ask(Topic::kStatus, "", mono_now()))
      .and_then([](const Blob& blob) { return read_status(blob.view()); });
}

Result<void> Query::failures(JobId job, const TakeFailures& take) {
  Session& session = client_.session();
  const JobHandle handle = session.attach(job, RowOrder::kFailures, 0, mono_now());
  MonoTime until = mono_now() + patience_;
  while (mono_now() < until) {
    for (Notice& notice : client_.pump(kLookEvery)) {
      if (const auto* rows = std::get_if<RowsArrived>(&notice)) {
        if (auto ok = take(rows->rows, rows->blob.view()); !ok) return ok;
        session.rows_done(handle, rows->rows.next, mono_now());
        until = mono_now() + patience_;
      } else if (std::holds_alternative<Ended>(notice)) {
        return {};
      } else if (auto* const refused = std::get_if<JobRefused>(&notice)) {
        return tl::make_unexpected(std::move(refused->error));
      }
    }
  }
  return fail(ErrorCode::kUnreachable, no_broker_answers(given_));
}

Result<std::vector<JobDocument>> Query::steer(const std::vector<JobId>& jobs, Steering action,
                                              std::uint64_t grace_ms, std::uint32_t outcomes) {
  std::vector<JobDocument> out;
  for (std::size_t from = 0; from < jobs.size(); from += limits::kJobsSteeredMax) {
    const std::size_t to = std::min<std::size_t>(from + limits::kJobsSteeredMax, jobs.size());
    const auto request = client_.session().steer({jobs.begin() + static_cast<std::ptrdiff_t>(from),
                                                  jobs.begin() + static_cast<std::ptrdiff_t>(to)},
                                                 action, grace_ms, mono_now(), outcomes);
    auto told = answer(request).and_then([](const Blob& blob) { return read_jobs(blob.view()); });
    if (!told) return told;
    std::move(told->begin(), told->end(), std::back_inserter(out));
  }
  return out;
}

namespace {

// What was wanted is not there: the same with a word that is.
Error no_such_job(Query& query, const std::string& selector) {
  const auto all = query.jobs("all");
  if (!all) return all.error();
  std::vector<std::string> names{"last", "all"};
  for (const JobDocument& job : *all) {
    for (const std::string& name : {job.id, job.name, job.key}) {
      if (!name.empty()) names.push_back(name);
    }
  }
  std::string text = fmt::format("no job \"{}\"", visible(selector));
  if (all->empty()) {
    text = selector == "last" ? "no job here yet" : text + "; there is none here yet";
  } else if (const auto meant = nearest_name(selector, names)) {
    text += "; did you mean " + visible(*meant) + "?";
  }
  return {ErrorCode::kNotFound, text + " (fanmill jobs lists them)"};
}

}  // namespace

Result<std::vector<JobDocument>> resolve_jobs(Query& query, std::span<const std::string> selectors,
                                              bool detail) {
  if (selectors.empty()) return query.jobs("all", detail);
  std::map<JobId, JobDocument> found;
  for (const std::string& selector : selectors) {
    // An empty word is of a script whose variable is; "every job" is not what it means.
    if (selector.empty()) {
      return fail(ErrorCode::kUsage, "an empty word names no job; for every job write all");
    }
    auto jobs = query.jobs(selector, detail);
    if (!jobs && jobs.error().code == ErrorCode::kNotFound) {
      return tl::make_unexpected(no_such_job(query, selector));
    }
    if (!jobs) return jobs;
    for (JobDocument& job : *jobs) found.insert_or_assign(job.job, std::move(job));
  }
  std::vector<JobDocument> out;
  out.reserve(found.size());
  for (auto& [id, job] : found) out.push_back(std::move(job));
  return out;
}

Result<JobDocument> resolve_job(Query& query, const std::string& selector, bool detail) {
  auto jobs = resolve_jobs(query, {&selector, 1}, detail);
  if (!jobs) return tl::make_unexpected(jobs.error());
  if (jobs->size() == 1) return std::move(jobs->front());
  if (jobs->empty()) return fail(ErrorCode::kNotFound, "no job here yet (fanmill jobs lists them)");
  constexpr std::size_t kNamedMax = 3;
  std::string text =
      fmt::format("\"{}\" is {} jobs; name one of them: ", visible(selector), jobs->size());
  for (std::size_t i = 0; i < std::min(kNamedMax, jobs->size()); ++i) {
    text += (i > 0 ? ", " : "") + id_and_name((*jobs)[jobs->size() - 1 - i]);
  }
  return fail(ErrorCode::kUsage, text + (jobs->size() > kNamedMax ? ", …" : ""));
}

}  // namespace fanmill::producer
