// One of every message, with every field set to a value of its own.
#pragma once

#include <vector>

#include "proto/messages.hpp"

namespace fanmill::test {

inline JobSpec sample_spec() {
  return {.function = "norm",
          .argv = {"convert", "{}", "{.}.webp"},
          .names = {"x", "y"},
          .time_limit_ms = 90000,
          .max_output = 1u << 26,
          .shell = "/bin/sh",
          .chdir = "runs/{x}",
          .env = {{"SEED", "{x}", true}, {"HOME", "/h", false}},
          .input = {"{y}\n"},
          .time_limit_percent = 300,
          .group = 4,
          .at_most_once = true};
}

inline std::vector<FromProducer> samples_from_producer() {
  const JobId job{0x0000000300000007};
  JobOptions options{.spec = sample_spec(),
                     .name = "a sweep",
                     .priority = -5,
                     .retries = 2,
                     .crash_limit = 4,
                     .rows_with_tuples = true,
                     .forget_when_delivered = true,
                     .wait_workers_ms = 5000,
                     .where = {{"gpu", "yes"}, {"zone", ""}},
                     .keep_ms = 3600000,
                     .named_key = true,
                     .halt = {{.on = HaltOn::kEnds, .percent = 50, .beyond = true, .now = true}}};
  return {
      ProducerHello{.instance = {0xfedcba9876543210},
                    .attempt = 3,
                    .host = "desk",
                    .pid = 4711,
                    .user = "ada"},
      ProducerHeartbeat{},
      Goodbye{},
      OpenJob{.key = "key-1", .options = options},
      Submit{.job = job, .first = {1000}, .count = 300, .blocks = {{256, 512}, {44, 88}}},
      CloseJob{.job = job, .total = 1300},
      Gather{.job = job, .order = RowOrder::kAsCompleted, .cursor = 17, .window_bytes = 8u << 20},
      GatherAck{.job = job, .cursor = 18},
      CancelJob{.job = job, .grace_ms = CancelJob::kNoKill},
      Ask{.request = 31, .topic = Topic::kWorkers, .selector = "last"},
      Steer{.request = 32,
            .jobs = {job, {8}},
            .action = Steering::kRetry,
            .grace_ms = 5000,
            .outcomes = 6},
      Push{.job = job, .key = "p", .sequence = 6, .count = 300, .blocks = {{256, 512}, {44, 88}}}};
}

inline std::vector<FromWorker> samples_from_worker() {
  const JobId job{0x0000000300000007};
  const AttemptToken token{3, 70000};
  return {WorkerHello{.instance = {0x1122334455667788},
                      .attempt = 2,
                      .name = "w1",
                      .host = "node7",
                      .pid = 99,
                      .slots = 16,
                      .offers = {{"norm", "(x: float, y: float) -> float"}, {"exec", ""}},
                      .credit = {1u << 20, 64u << 20},
                      .claims = {{job, token, {{{5}, 2}, {{9}, 1}}}},
                      .labels = {{"gpu", "yes"}},
                      .version = "0.4"},
          WorkerHeartbeat{.credit = {10, 20},
                          .leases_seen = 30,
                          .reports_sent = 40,
                          .held_count = 2,
                          .held_digest = 0x8000000000000001,
                          .running = {{job, token, {6}}},
                          .draining = true,
                          .list_attached = true,
                          .held = {token, {3, 70001}},
                          .number = 17},
          Goodbye{},
          Results{.report = 12,
                  .job = job,
                  .token = token,
                  .first = {1000},
                  .count = 256,
                  .outcome = Outcome::kTimeLimit,
                  .values_bytes = 512,
                  .run_ns = 1500000,
                  .credit = {11, 21}},
          Returned{.report = 13,
                   .job = job,
                   .token = token,
                   .ranges = {{{1200}, 56}},
                   .unbound = true,
                   .recall = 8,
                   .credit = {12, 22}}};
}

inline std::vector<ToProducer> samples_to_producer() {
  const JobId job{0x0000000300000007};
  const JobCounts counts{.accepted = 1300,
                         .running = 300,
                         .succeeded = 990,
                         .failed = 7,
                         .dead_lettered = 2,
                         .cancelled = 1};
  return {ProducerWelcome{.instance = {77}, .attempt = 3, .heartbeat_ms = 2000},
          JobOpened{.key = "key-1",
                    .job = job,
                    .next_index = 4,
                    .closed = true,
                    .credit = {1000, 2000},
                    .accepted_bytes = 12,
                    .signature = "(x) -> null",
                    .durability = "memory",
                    .tuples_digest = 0x0123456789abcdef},
          Accepted{.job = job, .next_index = 1300, .closed = true, .credit = {2300, 4000}},
          Rows{.job = job,
               .position = 1000,
               .next = 1100,
               .batch_first = {990},
               .batch_count = 200,
               .first = {1000},
               .count = 100,
               .outcome = Outcome::kFailed,
               .dead_lettered = true,
               .token = {3, 5},
               .attempt = 2,
               .worker = "w1@node7",
               .values_bytes = 400,
               .run_ns = 123456789,
               .tuples_bytes = 800,
               .tuples_skip = 13,
               .round = 2},
          JobStatus{.job = job,
                    .counts = counts,
                    .workers = 2,
                    .slots = 8,
                    .waiting_for = WaitingFor::kSlowTask,
                    .waiting_index = {3}},
          JobEvent{.job = job,
                   .index = {42},
                   .outcome = Outcome::kCrashed,
                   .attempt = 1,
                   .limit = 3,
                   .worker = "w1@node7"},
          JobEnded{.job = job, .counts = counts, .halted = "3 failed", .rounds = 2},
          Refused{.key = "key-1",
                  .job = job,
                  .code = ErrorCode::kUnknownFunction,
                  .message = "no worker offers nrom; did you mean norm?",
                  .request = 31},
          HeartbeatReply{.list_wanted = true, .number = 18, .full = true},
          UnknownSession{},
          Answer{.request = 31},
          RowsEnded{.job = job, .cursor = 1300, .counts = counts},
          Pushed{.job = job, .key = "p", .sequence = 7, .next_index = 1600, .room = {9, 10}}};
}

inline std::vector<ToWorker> samples_to_worker() {
  const JobId job{0x0000000300000007};
  return {WorkerWelcome{.instance = {78},
                        .attempt = 2,
                        .heartbeat_ms = 2000,
                        .lease_ms = 6000,
                        .keep = {{3, 70000}}},
          Lease{.lease = 21,
                .job = job,
                .token = {3, 70002},
                .first = {1010},
                .count = 290,
                .skip = 10,
                .attempt = 2,
                .blocks = {{256, 512}, {44, 88}},
                .spec = {sample_spec()}},
          ReportsTaken{.report = 12},
          Recall{.recall = 8, .job = job, .count = 64},
          StopJob{.job = job, .grace_ms = 5000},
          HeartbeatReply{.list_wanted = true, .number = 18, .full = true},
          UnknownSession{},
          Refused{.key = "k", .job = job, .code = ErrorCode::kLimit, .message = "too many"}};
}

}  // namespace fanmill::test
