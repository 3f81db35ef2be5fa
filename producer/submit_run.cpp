#include "producer/submit_run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "producer/broker_watch.hpp"
#include "producer/exit_code.hpp"
#include "producer/feeder.hpp"
#include "producer/progress.hpp"
#include "producer/query.hpp"
#include "producer/signals.hpp"
#include "producer/wait_run.hpp"
#include "proto/job_id.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

// What submit and push have in common: feeding, signals, the broker, progress.
class Feeding {
 public:
  Feeding(Client& client, Console& console, const std::string& broker, bool quiet,
          ProgressMode progress, std::unique_ptr<TupleSource> source, Feeder::Cut cut)
      : console_(console),
        client_(client),
        session_(client.session()),
        feeder_(std::move(source), cut),
        progress_(mono_now()),
        shown_(console, progress, quiet, mono_now()),
        watch_(client, broker, BrokerWatch::Follows::kKeptJobs, console.teller(quiet), mono_now()),
        quiet_(quiet) {
    if (const auto total = feeder_.total()) progress_.total(*total);
  }
  Feeding(const Feeding&) = delete;
  Feeding& operator=(const Feeding&) = delete;
  virtual ~Feeding() = default;

 protected:
  // Until the broker has everything, or something is in the way.
  void feed_all() {
    while (!settled() && !stopped_) turn();
    shown_.clear();
  }

  virtual bool may_take() const = 0;
  virtual void hand_over(ChunkBuilder::Chunk chunk) = 0;
  virtual void source_ended() = 0;
  virtual bool settled() const = 0;
  virtual void hear(Notice& notice) = 0;
  virtual std::uint64_t accepted() const = 0;

  void stop_with(Error error) {
    end_.error = std::move(error);
    stopped_ = true;
  }
  void end_source() {
    if (std::exchange(ended_, true)) return;
    feeder_.stop();
    source_ended();
  }

  Console& console_;
  Client& client_;
  Session& session_;
  Feeder feeder_;
  Progress progress_;
  ProgressOutput shown_;
  BrokerWatch watch_;
  SignalReader signals_;
  RunEnd end_;
  const bool quiet_;
  bool ended_ = false;
  bool stopped_ = false;

 private:
  void turn() {
    const auto fed =
        feeder_.turn([this] { return may_take(); },
                     [this](ChunkBuilder::Chunk chunk) { hand_over(std::move(chunk)); });
    if (!fed) {
      end_.input_error = fed.error();
      console_.note(fed.error().message);
    }
    if (feeder_.ended()) end_source();
    std::vector<pollfd> fds{{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                            {.fd = feeder_.wait_fd(), .events = POLLIN, .revents = 0}};
    std::optional<nanoseconds> timeout = shown_.every();
    if (!session_.is_connected()) timeout = kReconnectEvery;
    if (!feeder_.ended() && feeder_.wait_fd() < 0 && may_take()) timeout = 0ns;
    for (Notice& notice : client_.pump(timeout, fds)) hear(notice);
    if (fds[0].revents != 0 && signals_.urgency() > 0) end_.interrupted = stopped_ = true;
    if (fds[1].revents != 0) feeder_.woken();
    progress_.rows(accepted(), 0);
    progress_.connected(session_.is_connected());
    if (const auto gone = watch_.look(mono_now())) stop_with(*gone);
    shown_.draw(progress_, mono_now());
  }
};

class SubmitRun final : Feeding {
 public:
  SubmitRun(Client& client, Console& console, SubmitOptions options,
            std::unique_ptr<TupleSource> source)
      : Feeding(client, console, options.broker, options.quiet, options.progress, std::move(source),
                Feeder::Cut::kEager),
        options_(std::move(options)) {}

  int run() {
    job_ = session_.open(options_.key.value_or(Client::fresh_key()), options_.job, std::nullopt,
                         mono_now());
    feed_all();
    if (stopped_) return stopped();
    fmt::print("{}\n", to_text(*id_));
    if (std::fflush(stdout) != 0) return 0;
    tell_acceptance();
    if (!options_.wait) return exit_code_of(end_);
    const int code = run_wait(client_, console_,
                              {.jobs = {*id_},
                               .broker = options_.broker,
                               .quiet = options_.quiet,
                               .progress = options_.progress});
    return end_.input_error ? exit_code_of(end_) : code;
  }

 private:
  bool may_take() const override { return session_.may_submit(job_); }
  void hand_over(ChunkBuilder::Chunk chunk) override {
    session_.submit(job_, std::move(chunk), mono_now());
  }
  void source_ended() override {
    if (!options_.open) session_.close(job_, mono_now());
  }
  bool settled() const override { return ended_ && session_.settled(job_); }
  std::uint64_t accepted() const override {
    return std::min(session_.accepted(job_), session_.submitted(job_));
  }

  void hear(Notice& notice) override {
    if (const auto* opened = std::get_if<Opened>(&notice)) {
      if (!id_) feeder_.expect(opened->job.signature);
      id_ = opened->job.job;
      durability_ = opened->job.durability;
    } else if (const auto* refused = std::get_if<JobRefused>(&notice)) {
      stop_with(refused->error);
    }
  }

  void tell_acceptance() {
    if (options_.quiet) return;
    const std::uint64_t count = session_.accepted(job_);
    console_.note(fmt::format(
        "{} tuple{} accepted, kept {}{}", count, count == 1 ? "" : "s",
        durability_ == "memory" ? "in the broker's memory" : "on its disk (" + durability_ + ")",
        options_.open ? "; open for more: fanmill push " + to_text(*id_) : ""));
  }

  // A job that nobody would know of is not left behind half fed.
  int stopped() {
    if (end_.error) console_.note(end_.error->message);
    if (end_.interrupted && id_) {
      const std::uint64_t count = session_.accepted(job_);
      if (options_.key) {
        console_.note(
            fmt::format("interrupted: {} tuple{} accepted as job {}, which stays open; "
                        "the same line goes on from there",
                        count, count == 1 ? "" : "s", to_text(*id_)));
      } else {
        cancel();
        console_.note(
            fmt::format("interrupted: job {} is cancelled; {} of its tuples were "
                        "accepted (with --key NAME the same line could go on)",
                        to_text(*id_), count));
      }
    }
    return exit_code_of(end_);
  }

  void cancel() {
    Query query(client_, options_.broker);
    (void)query.steer({*id_}, Steering::kCancel,
                      0);  // where it fails, the job stays: `jobs` shows it
  }

  const SubmitOptions options_;
  JobHandle job_;
  std::optional<JobId> id_;
  std::string durability_;
};

class PushRun final : Feeding {
 public:
  PushRun(Client& client, Console& console, PushOptions options,
          std::unique_ptr<TupleSource> source)
      : Feeding(client, console, options.broker, options.quiet, options.progress, std::move(source),
                options.key ? Feeder::Cut::kSteady : Feeder::Cut::kEager),
        options_(std::move(options)) {}

  int run() {
    feeder_.expect(options_.job.signature.value_or(""));
    push_ = session_.begin_push(options_.job.job, options_.key.value_or(Client::fresh_key()),
                                mono_now());
    feed_all();
    if (end_.error) console_.note(end_.error->message);
    if (!options_.quiet && !end_.error) {
      const std::string what = fmt::format("{} tuple{}", pushed_, pushed_ == 1 ? "" : "s");
      console_.note(end_.interrupted
                        ? fmt::format("interrupted: some of {} were added to job {}{}", what,
                                      options_.job.id,
                                      options_.key ? "; the same line adds the rest"
                                                   : " (with --key NAME the same line could go on)")
                        : fmt::format("{} added to job {}", what, options_.job.id));
    }
    return exit_code_of(end_);
  }

 private:
  bool may_take() const override { return session_.may_push(push_); }
  void hand_over(ChunkBuilder::Chunk chunk) override {
    pushed_ += chunk.tuples;
    session_.push(push_, std::move(chunk), mono_now());
  }
  void source_ended() override {}
  bool settled() const override { return ended_ && session_.settled(push_); }
  std::uint64_t accepted() const override { return pushed_; }

  void hear(Notice& notice) override {
    if (const auto* refused = std::get_if<PushRefused>(&notice)) stop_with(refused->error);
  }

  const PushOptions options_;
  PushHandle push_;
  std::uint64_t pushed_ = 0;
};

}  // namespace

int run_submit(Client& client, Console& console, SubmitOptions options,
               std::unique_ptr<TupleSource> source) {
  return SubmitRun(client, console, std::move(options), std::move(source)).run();
}

int run_push(Client& client, Console& console, PushOptions options,
             std::unique_ptr<TupleSource> source) {
  return PushRun(client, console, std::move(options), std::move(source)).run();
}

}  // namespace fanmill::producer
