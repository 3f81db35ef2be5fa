#include "producer/library/io_thread.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "producer/broker_watch.hpp"
#include "producer/client.hpp"
#include "producer/library/executor_path.hpp"
#include "producer/library/failures.hpp"
#include "producer/private_run.hpp"
#include "proto/find_broker.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;

constexpr auto kFarewellTime = 200ms;  // for last cancels to be answered

// How often this process was forked from another one since the library is in use.
std::atomic<unsigned> forks{0};

unsigned fork_count() {
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  return forks.load(std::memory_order_relaxed);
}

// A thread inherits its mask: so neither it nor those it makes ever handle a signal that is meant
// for the program.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t every;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before_);
  }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

struct IoThread::State {
  State(PoolSettings used, const char* where)
      : settings(std::move(used)),
        installed(where != nullptr ? where : ""),
        generation(fork_count()),
        event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~State() {
    if (event >= 0) close(event);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Made before the thread, or by it before `started`; read only since.
  const PoolSettings settings;
  const std::string installed;
  const unsigned generation;
  const int event;
  std::promise<void> started;
  FailurePtr start_failure;
  std::uint32_t slots = 0;
  std::thread thread;

  std::atomic<bool> woken{false};
  std::mutex mutex;  // of what follows
  std::vector<std::shared_ptr<JobDriver>> fresh;
  bool stopping = false;
  FailurePtr unusable;  // no job can be added any more

  // The thread's own.
  std::map<JobHandle, std::shared_ptr<JobDriver>> jobs;
  std::vector<JobHandle> with_rows;
  std::optional<BrokerWatch> watch;  // unless it is a private run's

  void run();
  Result<void> set_up(std::optional<ChannelContext>& context, std::optional<PrivateRun>& here,
                      std::optional<Client>& client);
  void loop(Client& client);
  bool take_fresh(Session& session);
  void turn(Client& client);
  void take(Notice& notice, Session& session);
  void end(JobHandle job, std::optional<JobCounts> counts, FailurePtr failure);
  void end_all(const FailurePtr& failure);
  void say_farewell(Client& client);
};

void IoThread::State::run() {
  std::optional<ChannelContext> context;
  std::optional<PrivateRun> here;
  std::optional<Client> client;
  if (const auto ready = set_up(context, here, client); !ready) {
    start_failure = job_failure(ready.error());
    {
      const std::lock_guard lock(mutex);
      unusable = start_failure;
    }
    started.set_value();
    return;
  }
  if (here) slots = here->slots();
  started.set_value();
  loop(*client);
  if (!here) say_farewell(*client);
  client.reset();
  here.reset();
  end_all(closed_failure());
}

Result<void> IoThread::State::set_up(std::optional<ChannelContext>& context,
                                     std::optional<PrivateRun>& here,
                                     std::optional<Client>& client) {
  if (event < 0) return fail(ErrorCode::kSystem, "cannot make an eventfd");
  context.emplace();
  if (settings.broker.empty()) {
    auto executor = find_executor(settings.executor, installed);
    if (!executor) return tl::make_unexpected(executor.error());
    PrivateRunOptions options;
    options.slots = settings.slots;
    options.plugins = settings.plugins;
    options.executor_path = std::move(*executor);
    options.adopt_orphans = false;
    options.results_cap = settings.results_cap;
    auto run = PrivateRun::start(*context, options);
    if (!run) return tl::make_unexpected(run.error());
    here.emplace(std::move(*run));
  } else if (settings.broker.starts_with("inproc:")) {
    return fail(ErrorCode::kUsage, "a broker is at ipc://PATH, not at " + settings.broker);
  } else if (!settings.plugins.empty()) {
    return fail(ErrorCode::kUsage,
                "PoolSettings::plugins are of a private run; the workers of a broker load theirs "
                "(fanmill worker --plugin)");
  }
  const auto address =
      here ? Result<Address>(Address(here->endpoint())) : find_broker(settings.broker, "producer");
  if (!address) return tl::make_unexpected(address.error());
  auto connected = Client::connect(*context, *address);
  if (!connected) {
    Error error = connected.error();
    if (error.code == ErrorCode::kUnreachable) {
      error.message += "; start one: fanmill broker --listen " + settings.broker;
    }
    return tl::make_unexpected(std::move(error));
  }
  client.emplace(std::move(*connected));
  if (!here) {
    watch.emplace(*client, settings.broker, BrokerWatch::Follows::kOwnJob, BrokerWatch::Say(),
                  mono_now());
  }
  return {};
}

void IoThread::State::loop(Client& client) {
  while (true) {
    // Before anything is looked at: what comes later wakes again.
    woken.store(false);
    if (!take_fresh(client.session())) return;
    turn(client);
    const auto gone = watch ? watch->look(mono_now()) : std::nullopt;
    if (gone) end_all(job_failure(*gone));
  }
}

bool IoThread::State::take_fresh(Session& session) {
  std::vector<std::shared_ptr<JobDriver>> added;
  {
    const std::lock_guard lock(mutex);
    added.swap(fresh);
    if (stopping) {
      unusable = closed_failure();
      for (auto& driver : added) driver->over({}, unusable);
      return false;
    }
  }
  for (auto& driver : added) {
    const JobHandle job =
        session.open(Client::fresh_key(), driver->options(), driver->order(), mono_now());
    jobs.emplace(job, std::move(driver));
  }
  return true;
}

void IoThread::State::turn(Client& client) {
  Session& session = client.session();
  const MonoTime now = mono_now();
  std::optional<MonoTime> until;
  if (!session.is_connected()) until = now + kReconnectEvery;
  for (const auto& [job, driver] : jobs) {
    const auto wanted = driver->turn(session, job, now);
    if (wanted) until = std::min(until.value_or(*wanted), *wanted);
  }
  pollfd wake{.fd = event, .events = POLLIN, .revents = 0};
  const auto timeout = until ? std::optional<nanoseconds>(*until - now) : std::nullopt;
  for (Notice& notice : client.pump(timeout, {&wake, 1})) take(notice, session);
  if (wake.revents != 0) {
    std::uint64_t count = 0;
    static_cast<void>(!read(event, &count, sizeof count));
  }
  for (const JobHandle job : std::exchange(with_rows, {})) {
    if (const auto found = jobs.find(job); found != jobs.end()) found->second->rows_came();
  }
}

void IoThread::State::take(Notice& notice, Session& session) {
  if (auto* rows = std::get_if<RowsArrived>(&notice)) {
    const JobHandle job = rows->handle;
    const auto found = jobs.find(job);
    if (found == jobs.end()) return;
    found->second->rows(std::move(*rows), session, mono_now());
    if (with_rows.empty() || with_rows.back() != job) with_rows.push_back(job);
  } else if (const auto* opened = std::get_if<Opened>(&notice)) {
    if (watch) watch->durability(opened->job.durability);
  } else if (const auto* ended = std::get_if<Ended>(&notice)) {
    end(ended->handle, ended->counts, nullptr);
  } else if (const auto* refused = std::get_if<JobRefused>(&notice)) {
    end(refused->handle, {}, job_failure(refused->error));
  }
}

void IoThread::State::end(JobHandle job, std::optional<JobCounts> counts, FailurePtr failure) {
  const auto found = jobs.find(job);
  if (found == jobs.end()) return;
  const auto driver = std::move(found->second);
  jobs.erase(found);
  driver->rows_came();
  driver->over(counts, std::move(failure));
}

void IoThread::State::end_all(const FailurePtr& failure) {
  while (!jobs.empty()) end(jobs.begin()->first, {}, failure);
}

// A broker lives on: nothing of these jobs is to be left there.
void IoThread::State::say_farewell(Client& client) {
  Session& session = client.session();
  for (const auto& [job, driver] : jobs) session.cancel(job, 0, mono_now());
  const MonoTime until = mono_now() + kFarewellTime;
  while (!jobs.empty() && session.is_connected() && mono_now() < until) {
    for (Notice& notice : client.pump(20ms)) {
      if (const auto* rows = std::get_if<RowsArrived>(&notice)) {
        session.rows_done(rows->handle, rows->rows.next, mono_now());
      } else if (const auto* ended = std::get_if<Ended>(&notice)) {
        end(ended->handle, {}, closed_failure());
      } else if (const auto* refused = std::get_if<JobRefused>(&notice)) {
        end(refused->handle, {}, closed_failure());
      }
    }
  }
}

std::shared_ptr<IoThread> IoThread::start(const PoolSettings& settings, const char* installed) {
  std::shared_ptr<IoThread> io(new IoThread(std::make_unique<State>(settings, installed)));
  State* const state = io->state_.get();
  auto started = state->started.get_future();
  {
    const AllSignalsBlocked blocked;
    state->thread = std::thread([state] { state->run(); });
  }
  started.wait();
  return io;
}

IoThread::IoThread(std::unique_ptr<State> state) : state_(std::move(state)) {}

IoThread::~IoThread() {
  if (is_foreign()) {
    // The thread, its sockets and its locks are the parent's.
    static_cast<void>(state_.release());
    return;
  }
  stop();
}

FailurePtr IoThread::start_failure() const { return state_->start_failure; }
std::uint32_t IoThread::slots() const { return state_->slots; }
bool IoThread::is_private() const { return state_->settings.broker.empty(); }
bool IoThread::is_foreign() const { return state_->generation != fork_count(); }

void IoThread::add(std::shared_ptr<JobDriver> driver) {
  FailurePtr unusable;
  {
    const std::lock_guard lock(state_->mutex);
    unusable = state_->unusable;
    if (unusable == nullptr) state_->fresh.push_back(driver);
  }
  if (unusable != nullptr) {
    driver->over({}, std::move(unusable));
  } else {
    wake();
  }
}

void IoThread::wake() {
  if (state_->woken.exchange(true)) return;
  const std::uint64_t one = 1;
  static_cast<void>(!write(state_->event, &one, sizeof one));
}

void IoThread::stop() {
  if (is_foreign() || !state_->thread.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  wake();
  state_->thread.join();
}

}  // namespace fanmill::producer
