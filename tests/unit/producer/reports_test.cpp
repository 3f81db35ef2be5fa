// What people read of jobs, workers and a broker.
#include "producer/reports.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "producer/quantities.hpp"
#include "tests/unit/producer/document_samples.hpp"

namespace fanmill::producer {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

std::string packed(const Value& value) {
  std::string bytes;
  append_msgpack(bytes, value);
  return bytes;
}
JobDocument job_of(const Map& map) { return (*read_jobs(packed(Array{map})))[0]; }

JobDocument job_with(const std::vector<std::pair<std::string, Value>>& changes) {
  Map map = sample::detail();
  for (const auto& [key, value] : changes) sample::set(map, key, value);
  return job_of(map);
}

TEST(ShortDuration, HasTwoUnitsAtMost) {
  const std::pair<std::chrono::nanoseconds, const char*> cases[] = {
      {0ns, "0s"},       {40ns, "40ns"},
      {1500ns, "1µs"},   {250ms, "250ms"},
      {1s, "1s"},        {3200ms, "3.2s"},
      {59'900ms, "59s"}, {60s, "1m"},
      {192s, "3m12s"},   {59min + 59s, "59m59s"},
      {90min, "1h30m"},  {24h, "1d"},
      {52h, "2d4h"},     {168h, "7d"},
      {-5s, "0s"}};
  for (const auto& [time, text] : cases) EXPECT_EQ(short_duration(time), text);
}

TEST(ShortSize, HasThreeDigits) {
  const std::pair<std::uint64_t, const char*> cases[] = {{0, "0"},
                                                         {1, "1B"},
                                                         {1023, "1023B"},
                                                         {1024, "1KiB"},
                                                         {1536, "1.5KiB"},
                                                         {100 << 10, "100KiB"},
                                                         {64 << 20, "64MiB"},
                                                         {(1 << 20) - 1, "1MiB"},
                                                         {std::uint64_t{5} << 40, "5TiB"},
                                                         {~std::uint64_t{0}, "16EiB"}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(short_size(bytes), text);
}

TEST(JobsTable, HasALineForEachJob) {
  Map open = sample::job();
  sample::set(open, "id", "9f3c21ab-4");
  sample::set(open, "name", "");
  sample::set(open, "closed", false);
  sample::set(open, "state", "open");
  sample::set(open, "rate", 0.0);
  sample::set(open, "eta_ms", nullptr);
  sample::set(open, "producer", "");
  EXPECT_EQ(
      jobs_table({job_of(sample::job()), job_of(open)}, {}),
      "ID          NAME    STATE         DONE    %  FAILED   RATE  ETA    AGE  WHO\n"
      "9f3c21ab-3  resize  running   410/1000  41%       2  100/s   6s  3m12s  me@here pid 123\n"
      "9f3c21ab-4  norm    open     410/1000+    -       2      -    -  3m12s\n");
}

TEST(JobsTable, ACommandWithoutANameIsShownAsItWasTyped) {
  const JobDocument job = job_with({{"name", ""}, {"command", Array{"convert", "{}", "a b", ""}}});
  EXPECT_THAT(jobs_table({job}, {}), HasSubstr("  convert {} 'a b' ''  "));
}

TEST(JobsTable, NamesOfOthersCannotSteerATerminalOrBreakALine) {
  const JobDocument job = job_with({{"name", "a\x1b]0;x\x07\nb"}, {"producer", "\x1b[1mme"}});
  const std::string text = jobs_table({job}, {.columns = 120, .colours = false});
  EXPECT_THAT(text, HasSubstr("a\\x1b]0;x\\x07\\x0ab"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  for (const char c : job_text(job, {})) EXPECT_TRUE(c == '\n' || (c & 0xe0) != 0);
}

TEST(JobText, TellsWhatThereIs) {
  EXPECT_EQ(job_text(job_of(sample::detail()), {}),
            "9f3c21ab-3 resize\n"
            "  function    norm (x: float) -> float\n"
            "  state       running\n"
            "  tasks       410 of 1000 done (41%): 408 succeeded, 1 failed, 1 dead-lettered; 12 "
            "running, 578 waiting\n"
            "  pace        100/s, 10ms a task, 6s left\n"
            "  age         3m12s\n"
            "  dealt       priority 0, on workers with gpu=yes\n"
            "  key         k3\n"
            "  input       closed\n"
            "  kept        7d after its end\n"
            "  holds       1MiB of tuples, 3KiB of results\n"
            "  producer    me@here pid 123\n"
            "  worker      w1@here: 4 slots, 12 tasks in hand\n"
            "  reader      you@there pid 9: in input order, at 400, 10 behind\n");
}

TEST(JobText, SaysWhyNothingOfItRuns) {
  const std::string text =
      job_text(job_with({{"state", "waiting"}, {"reason", "no connected worker offers norm"}}), {});
  EXPECT_THAT(text, HasSubstr("  state       waiting: no connected worker offers norm\n"));
}

TEST(JobText, OfAnEndedJobSaysSinceWhenAndNoTimeLeft) {
  const std::string text =
      job_text(job_with({{"state", "failed"}, {"ended_ms", 90'000}, {"eta_ms", 0}}), {});
  EXPECT_THAT(text, HasSubstr("  state       failed, 1m30s ago\n"));
  EXPECT_THAT(text, Not(HasSubstr("left")));
}

TEST(WorkersTable, HasALineForEachWorker) {
  EXPECT_EQ(workers_table({(*read_workers(packed(Array{sample::worker()})))[0]}, {}),
            "NAME  HOST  SLOTS  BUSY  DONE  RATE  LABELS          FUNCTIONS  SINCE  STATE\n"
            "w1    here      4     3  4711  12/s  gpu=yes,zone=a          1  1h30m  active\n");
}

TEST(StatusText, TellsVentilatorAndSinkApart) {
  Map troubled = sample::status();
  sample::set(troubled, "malformed", 2);
  EXPECT_EQ(status_text(*read_status(packed(sample::status())), {}),
            "fanmill broker 0.1.0, protocol 1\n"
            "  address     ipc:///tmp/mill/broker\n"
            "  up for      1m\n"
            "  keeps       jobs and results in memory: they end with it\n"
            "  workers     1 worker, 3 of 4 slots busy\n"
            "  producers   2\n"
            "  ventilator  1 job; 578 tasks waiting, 12 dealt to workers, 100/s, 4 recalled\n"
            "  sink        410 recorded, 100/s, 0 stale; 1 reader, 64KiB unread\n");
  EXPECT_THAT(status_text(*read_status(packed(troubled)), {}),
              HasSubstr("  trouble     0 leases expired, 2 messages malformed\n"));
}

TEST(Functions, OfferedWithTwoSignaturesStandThereTwice) {
  Map other = sample::worker();
  sample::set(other, "slots", 2);
  sample::set(other, "functions", Array{Map{{"name", "norm"}, {"signature", "(x: int) -> int"}}});
  const auto workers = read_workers(packed(Array{sample::worker(), other, other}));
  EXPECT_EQ(functions_table(functions_of(*workers), {}),
            "NAME  WORKERS  SLOTS  SIGNATURE\n"
            "norm        1      4  (x: float) -> float\n"
            "norm        2      4  (x: int) -> int\n");
}

TEST(Steered, ALineSaysWhatHappened) {
  Map counts{{"accepted", 1000}, {"succeeded", 118}, {"failed", 2}, {"cancelled", 880}};
  const JobDocument cancelled =
      job_with({{"id", "9f3c-3"}, {"state", "cancelled"}, {"counts", counts}});
  EXPECT_EQ(steered_line(cancelled, Steering::kCancel, 5000),
            "cancelled 9f3c-3 resize: 120 done, 880 cancelled\n");
  EXPECT_EQ(steered_line(cancelled, Steering::kForget, 0),
            "forgot 9f3c-3 resize: 118 succeeded, 2 failed, 880 cancelled\n");
  const JobDocument job = job_of(sample::job());
  EXPECT_EQ(steered_line(job, Steering::kCancel, 5000),
            "cancelled 9f3c21ab-3 resize: 410 done, 0 cancelled, 12 at workers, killed after "
            "5s\n");
  EXPECT_EQ(steered_line(job, Steering::kCancel, 0),
            "cancelled 9f3c21ab-3 resize: 410 done, 0 cancelled, 12 at workers, killed now\n");
  EXPECT_EQ(steered_line(job, Steering::kPause, 0),
            "paused 9f3c21ab-3 resize: 410 of 1000 done, 12 at workers\n");
  EXPECT_EQ(steered_line(job, Steering::kResume, 0),
            "resumed 9f3c21ab-3 resize: 410 of 1000 done\n");
  EXPECT_EQ(steered_line(job, Steering::kClose, 0),
            "closed 9f3c21ab-3 resize: 410 of 1000 done, 12 at workers\n");
}

TEST(Steered, WhatHasNoEffectIsKnownBeforeAndSaid) {
  const JobDocument running = job_with({});
  const JobDocument paused = job_with({{"state", "paused"}});
  const JobDocument ended = job_with({{"state", "done"}, {"ended_ms", 5}});
  const JobDocument open = job_with({{"state", "open"}, {"closed", false}});
  EXPECT_TRUE(has_effect(running, Steering::kPause));
  EXPECT_FALSE(has_effect(paused, Steering::kPause));
  EXPECT_TRUE(has_effect(paused, Steering::kResume));
  EXPECT_FALSE(has_effect(running, Steering::kResume));
  EXPECT_TRUE(has_effect(open, Steering::kClose));
  EXPECT_FALSE(has_effect(running, Steering::kClose));
  for (const Steering action : {Steering::kPause, Steering::kResume, Steering::kCancel}) {
    EXPECT_FALSE(has_effect(ended, action));
  }
  const JobDocument cancelled = job_with({{"state", "cancelled"}});
  EXPECT_FALSE(has_effect(cancelled, Steering::kPause));
  EXPECT_TRUE(has_effect(cancelled, Steering::kCancel)) << "with a shorter grace, say";
  EXPECT_EQ(steered_line(job_with({{"state", "paused"}, {"reason", "its producer is gone"}}),
                         Steering::kResume, 0),
            "9f3c21ab-3 resize stays paused: its producer is gone\n");
  EXPECT_EQ(unsteered_line(paused, Steering::kPause), "9f3c21ab-3 resize was paused already\n");
  EXPECT_EQ(unsteered_line(running, Steering::kResume), "9f3c21ab-3 resize was not paused\n");
  EXPECT_EQ(unsteered_line(running, Steering::kClose), "9f3c21ab-3 resize was closed already\n");
  EXPECT_EQ(unsteered_line(ended, Steering::kCancel),
            "9f3c21ab-3 resize had ended already: done, 408 succeeded, 1 failed, 1 "
            "dead-lettered\n");
}

}  // namespace
}  // namespace fanmill::producer
