#include "tests/sim/runner.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>

#include "tests/sim/world.hpp"

namespace fanmill::sim {
namespace {

constexpr unsigned kSeedSecondsMax = 40;
// Every so-manieth seed runs twice, and both must do exactly the same.
constexpr std::uint64_t kTwiceEvery = 40;

// What a child tells its parent; memory they share.
struct Board {
  std::uint64_t seed;
  bool found;
  char invariant[160];
  char text[6000];
};
Board* board = nullptr;  // of this child
Trace* live_trace = nullptr;

void write_down(const std::string& invariant, const std::string& text) {
  std::snprintf(board->invariant, sizeof board->invariant, "%s", invariant.c_str());
  std::snprintf(board->text, sizeof board->text, "%s", text.c_str());
  board->found = true;
}

void print_tail() {
  if (live_trace == nullptr) return;
  for (const std::string& line : live_trace->last()) std::printf("    %s\n", line.c_str());
  std::fflush(stdout);
}

// The signal comes from our own thread, out of abort() or a bad access, not in the middle of what
// is used here.
void on_fatal(int signal) {
  if (board != nullptr) {
    write_down(signal == SIGABRT   ? "assertion"
               : signal == SIGALRM ? "every seed ends in time"
                                   : "no crash",
               strsignal(signal));
  }
  print_tail();
  _exit(3);
}

void catch_fatal() {
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) {
    struct sigaction action{};
    action.sa_handler = on_fatal;
    action.sa_flags = static_cast<int>(SA_NODEFER);
    sigaction(signal, &action, nullptr);
  }
}

std::optional<Violation> run_seed(std::uint64_t seed, Trace& trace) {
  live_trace = &trace;
  alarm(kSeedSecondsMax);
  const Plan plan = make_plan(seed);
  std::optional<Violation> violation;
  try {
    World world(plan, trace);
    world.run();
  } catch (const Violation& seen) {
    violation = seen;
  }
  alarm(0);
  live_trace = nullptr;
  return violation;
}

std::optional<Violation> run_and_repeat(std::uint64_t seed) {
  const bool twice = seed % kTwiceEvery == 0;
  Trace first;
  first.hashes = twice;
  auto violation = run_seed(seed, first);
  if (violation || !twice) return violation;
  Trace second;
  second.hashes = true;
  violation = run_seed(seed, second);
  if (!violation && first.hash() != second.hash())
    return Violation{"the same seed makes the same history", "two runs differ"};
  return violation;
}

struct Child {
  pid_t pid{};
  Batch* batch{};
  std::uint64_t next{};
  Board* board{};
  std::FILE* errors{};
};

Child start_child(Batch& batch, std::uint64_t from) {
  Child child;
  child.batch = &batch;
  child.next = from;
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  child.board = new (memory) Board{};
  child.errors = std::tmpfile();
  std::fflush(stdout);
  child.pid = fork();
  if (child.pid != 0) return child;
  board = child.board;
  dup2(fileno(child.errors), STDERR_FILENO);
  catch_fatal();
  if (batch.prepare) batch.prepare();
  for (std::uint64_t seed = from; seed <= batch.last; ++seed) {
    board->seed = seed;
    if (const auto violation = run_and_repeat(seed)) {
      write_down(violation->invariant, violation->text);
      _exit(2);
    }
  }
  _exit(0);
}

std::string read_all(std::FILE* file) {
  std::string all;
  std::rewind(file);
  char bytes[4096];
  for (std::size_t n = 0; (n = std::fread(bytes, 1, sizeof bytes, file)) > 0;) all.append(bytes, n);
  while (!all.empty() && all.back() == '\n') all.pop_back();
  return all;
}

void finish_child(Child& child, int status) {
  Batch& batch = *child.batch;
  const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const std::uint64_t last = child.board->seed;
  batch.seeds_run += last >= child.next ? last - child.next + 1 : 0;
  if (!clean) {
    Finding finding{last, child.board->invariant, child.board->text};
    const std::string errors = read_all(child.errors);
    if (!child.board->found) finding.invariant = "the simulator survives";
    if (finding.invariant == "assertion") {
      const std::size_t at = errors.rfind("broken invariant at ");
      finding.invariant = "assertion of the core";
      finding.text = at == std::string::npos ? errors : errors.substr(at + 20);
    }
    batch.findings.push_back(std::move(finding));
  }
  child.next = clean ? batch.last + 1 : last + 1;
  std::fclose(child.errors);
  munmap(child.board, sizeof(Board));
}

}  // namespace

void run_batches(std::vector<Batch>& batches, unsigned at_a_time, double deadline_s,
                 std::size_t least, const std::function<void()>& progress) {
  const auto began = std::chrono::steady_clock::now();
  const auto over = [&] {
    const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - began;
    return deadline_s > 0 && gone.count() > deadline_s;
  };
  std::vector<Child> children;
  std::size_t next = 0;
  const auto enough_run = [&] { return next >= least && over(); };
  while (next < batches.size() || !children.empty()) {
    while (next < batches.size() && children.size() < at_a_time && !enough_run()) {
      children.push_back(start_child(batches[next], batches[next].first));
      ++next;
    }
    if (children.empty()) return;
    int status = 0;
    const pid_t pid = wait(&status);
    const auto child = std::find_if(children.begin(), children.end(),
                                    [pid](const Child& c) { return c.pid == pid; });
    if (child == children.end()) continue;
    finish_child(*child, status);
    if (progress) progress();
    Batch& batch = *child->batch;
    const std::uint64_t from = child->next;
    children.erase(child);
    const bool enough = batch.stop_at_first && !batch.findings.empty();
    if (from <= batch.last && !enough && !enough_run())
      children.push_back(start_child(batch, from));
  }
}

bool run_traced(std::uint64_t seed) {
  Trace trace;
  trace.prints = true;
  std::fputs(make_plan(seed).text().c_str(), stdout);
  const auto violation = run_seed(seed, trace);
  if (!violation) return true;
  std::printf("VIOLATION: %s: %s\n", violation->invariant.c_str(), violation->text.c_str());
  return false;
}

void print_last_events(std::uint64_t seed, const std::function<void()>& prepare) {
  std::fputs(make_plan(seed).text().c_str(), stdout);
  std::fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    catch_fatal();
    if (prepare) prepare();
    Trace trace;
    trace.keeps = true;
    if (run_seed(seed, trace)) {
      live_trace = &trace;
      print_tail();
    }
    std::fflush(stdout);
    _exit(0);
  }
  waitpid(pid, nullptr, 0);
}

}  // namespace fanmill::sim
