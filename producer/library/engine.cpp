// client::Engine: the I/O thread and the jobs that users open on it.
#include <fanmill/detail/engine.hpp>
#include <map>
#include <mutex>
#include <utility>

#include "producer/library/calls_job.hpp"
#include "producer/library/io_thread.hpp"
#include "producer/library/stream_job.hpp"

namespace fanmill {
namespace producer {
namespace {

std::uint64_t milliseconds(std::chrono::milliseconds duration) {
  return duration.count() < 0 ? 0 : static_cast<std::uint64_t>(duration.count());
}

JobOptions job_options(const client::JobRequest& request, bool is_private) {
  const JobSettings& settings = request.settings;
  JobOptions job;
  job.spec.function = request.function;
  job.spec.argv = request.command;
  job.spec.names = settings.names;
  job.spec.time_limit_ms = milliseconds(settings.time_limit);
  job.spec.time_limit_percent = settings.time_limit_percent;
  job.spec.max_output = settings.max_output;
  job.spec.shell = settings.shell;
  job.spec.chdir = settings.directory;
  for (const auto& [name, value] : settings.environment)
    job.spec.env.push_back({name, value, true});
  if (settings.input) job.spec.input.push_back(*settings.input);
  job.name = !settings.name.empty()     ? settings.name
             : !request.command.empty() ? request.command.front()
                                        : request.function;
  job.priority = settings.priority;
  job.retries = settings.retries;
  job.crash_limit = settings.crash_limit;
  job.rows_with_tuples = settings.with_tuples;
  job.forget_when_delivered = true;
  job.wait_workers_ms = is_private ? 0 : milliseconds(settings.wait_workers);
  return job;
}

class PoolEngine : public client::Engine {
 public:
  explicit PoolEngine(std::shared_ptr<IoThread> io) : io_(std::move(io)) {}

  client::FailurePtr failure() const override {
    return io_->is_foreign() ? foreign_failure() : io_->start_failure();
  }
  std::uint32_t slots() const override { return io_->slots(); }

  std::unique_ptr<client::Stream> open(const client::JobRequest& request) override {
    const RowOrder order = request.as_completed ? RowOrder::kAsCompleted : RowOrder::kInput;
    auto job = std::make_shared<StreamJob>(job_options(request, io_->is_private()), order);
    auto handle = std::make_unique<StreamHandle>(io_, job, request.settings.read_ahead);
    if (!io_->is_foreign()) io_->add(std::move(job));
    return handle;
  }

  std::shared_ptr<client::Calls> calls(const client::JobRequest& request) override {
    return make_calls(request);
  }
  std::shared_ptr<client::Calls> calls(const std::string& function) override {
    if (io_->is_foreign()) return make_calls({.function = function});
    const std::lock_guard lock(mutex_);
    auto& shared = shared_[function];
    // One that could not go on is tried again: there may be a worker for it by now.
    if (shared == nullptr || shared->is_over()) shared = make_calls({.function = function});
    return shared;
  }

  void stop() override { io_->stop(); }

 private:
  std::shared_ptr<CallsHandle> make_calls(const client::JobRequest& request) {
    auto job =
        std::make_shared<CallsJob>(job_options(request, io_->is_private()), RowOrder::kAsCompleted);
    auto handle = std::make_shared<CallsHandle>(io_, job);
    if (!io_->is_foreign()) io_->add(std::move(job));
    return handle;
  }

  const std::shared_ptr<IoThread> io_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<CallsHandle>, std::less<>> shared_;
};

}  // namespace
}  // namespace producer

std::shared_ptr<client::Engine> client::Engine::start(const PoolSettings& settings,
                                                      const char* installed) {
  return std::make_shared<producer::PoolEngine>(producer::IoThread::start(settings, installed));
}

}  // namespace fanmill
