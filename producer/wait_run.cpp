#include "producer/wait_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "producer/broker_watch.hpp"
#include "producer/documents.hpp"
#include "producer/exit_code.hpp"
#include "producer/progress.hpp"
#include "producer/query.hpp"
#include "producer/signals.hpp"
#include "producer/visible_text.hpp"
#include "proto/job_id.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

// A job is asked about anew after so long: a short one is seen to end at once.
constexpr auto kAskFirst = 20ms;
constexpr auto kAskEveryMax = 500ms;

class Wait {
 public:
  Wait(Client& client, Console& console, const WaitOptions& options)
      : options_(options),
        console_(console),
        client_(client),
        session_(client.session()),
        progress_(mono_now()),
        shown_(console, options.progress, options.quiet, mono_now()),
        watch_(client, options.broker, BrokerWatch::Follows::kKeptJobs,
               console.teller(options.quiet), mono_now()) {}

  int run() {
    const MonoTime began = mono_now();
    for (const JobId job : options_.jobs) ask(job);
    while (ended_.size() < options_.jobs.size() && !end_.error && !end_.interrupted && !late_) {
      turn();
      late_ = options_.time_limit && mono_now() - began >= *options_.time_limit;
    }
    shown_.clear();
    return report();
  }

 private:
  void ask(JobId job) { asked_[session_.ask(Topic::kJobs, to_text(job), mono_now()).value] = job; }

  void turn() {
    const MonoTime now = mono_now();
    if (asked_.empty() && now >= ask_at_) {
      for (const JobId job : options_.jobs) {
        if (!ended_.contains(job)) ask(job);
      }
    }
    std::vector<pollfd> fds{{.fd = signals_.fd(), .events = POLLIN, .revents = 0}};
    nanoseconds timeout = asked_.empty() ? std::max<nanoseconds>(ask_at_ - now, 0ns) : kAskEveryMax;
    if (const auto every = shown_.every()) timeout = std::min(timeout, *every);
    if (!session_.is_connected()) timeout = kReconnectEvery;
    for (Notice& notice : client_.pump(timeout, fds)) take(notice);
    if (fds[0].revents != 0 && signals_.urgency() > 0) end_.interrupted = true;
    progress_.connected(session_.is_connected());
    if (const auto gone = watch_.look(mono_now())) end_.error = gone;
    shown_.draw(progress_, mono_now());
  }

  void take(Notice& notice) {
    if (const auto* answer = std::get_if<AnswerArrived>(&notice)) {
      const auto asked = asked_.find(answer->request.value);
      if (asked == asked_.end()) return;
      auto jobs = read_jobs(answer->document.view());
      if (!jobs) {
        end_.error = jobs.error();
      } else if (!jobs->empty()) {
        const JobId job = asked->second;
        if (jobs->front().ended()) ended_.insert_or_assign(job, jobs->front());
        seen_.insert_or_assign(job, std::move(jobs->front()));
      }
      asked_.erase(asked);
      show();
    } else if (const auto* refused = std::get_if<RequestRefused>(&notice)) {
      const auto asked = asked_.find(refused->request.value);
      if (asked == asked_.end()) return;
      end_.error = refused->error;
      if (seen_.contains(asked->second) && refused->error.code == ErrorCode::kNotFound) {
        end_.error = job_is_gone(to_text(asked->second));
      }
      asked_.erase(asked);
    }
    if (asked_.empty()) {
      ask_at_ = mono_now() + ask_every_;
      ask_every_ = std::min<nanoseconds>(ask_every_ * 2, kAskEveryMax);
    }
  }

  void show() {
    std::uint64_t accepted = 0;
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    bool closed = seen_.size() == options_.jobs.size();
    for (const auto& [id, job] : seen_) {
      accepted += job.counts.accepted;
      done += job.counts.done();
      failed += job.counts.failed + job.counts.dead_lettered;
      closed = closed && job.closed;
    }
    if (closed) progress_.total(accepted);
    progress_.rows(done, failed);
  }

  int report() {
    std::vector<JobDocument> jobs;
    for (const JobId id : options_.jobs) {
      const auto seen = seen_.find(id);
      if (seen == seen_.end()) continue;
      const JobDocument& job = seen->second;
      if (job.ended() && !job.halted.empty()) end_.halted = true;
      end_.not_ok += job.counts.failed + job.counts.dead_lettered + job.counts.cancelled;
      if (!options_.quiet && job.ended()) {
        console_.note(fmt::format("job {}{}: {}, {} of {} succeeded", job.id,
                                  job.name.empty() ? "" : " (" + visible(job.name) + ")", job.state,
                                  job.counts.succeeded, job.counts.accepted));
      }
      jobs.push_back(job);
    }
    if (options_.json && !end_.error) fmt::print("{}\n", to_json(jobs));
    if (end_.error) console_.note(end_.error->message);
    const std::size_t left = options_.jobs.size() - ended_.size();
    if (late_ && left > 0) {
      console_.note(fmt::format("the time is over, and {} job{} still run{}", left,
                                left == 1 ? "" : "s", left == 1 ? "s" : ""));
      ++end_.not_ok;
    }
    return exit_code_of(end_);
  }

  const WaitOptions& options_;
  Console& console_;
  Client& client_;
  Session& session_;
  Progress progress_;
  ProgressOutput shown_;
  BrokerWatch watch_;
  SignalReader signals_;
  std::map<std::uint64_t, JobId> asked_;  // by request
  std::map<JobId, JobDocument> seen_;
  std::map<JobId, JobDocument> ended_;
  nanoseconds ask_every_ = kAskFirst;
  MonoTime ask_at_{};
  RunEnd end_;
  bool late_ = false;
};

}  // namespace

int run_wait(Client& client, Console& console, const WaitOptions& options) {
  return Wait(client, console, options).run();
}

}  // namespace fanmill::producer
