// Every bound has a name, here, and a test at its edge.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fanmill {

inline constexpr std::uint32_t kProtocolVersion = 1;          // wire, see PROTOCOL.md
inline constexpr std::uint32_t kExecutorProtocolVersion = 1;  // agent and executor, see PROTOCOL.md

namespace limits {

using namespace std::chrono_literals;
inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

// Messages.
inline constexpr std::size_t kHeaderBytesMax = 256 * kKiB;  // one msgpack header
inline constexpr std::size_t kPartBytesMax =
    256 * kKiB;  // one blob frame; longer blobs travel as a series of parts
inline constexpr std::size_t kBlobBytesMax = 257 * kMiB;      // a reassembled blob
inline constexpr std::size_t kFrameBytesMax = 1 * kMiB + 64;  // ZMQ_MAXMSGSIZE
inline constexpr std::uint32_t kStrikesMax = 3;  // malformed messages before a session ends

// Values and tuples.
inline constexpr std::size_t kValueBytesMax = 256 * kMiB;
inline constexpr std::size_t kTupleBytesMax = 256 * kMiB;
inline constexpr std::uint32_t kValueDepthMax = 8;
inline constexpr std::uint32_t kTupleElementsMax = 65536;
inline constexpr std::size_t kNameBytesMax = 256;  // of functions, parameters, workers, jobs
inline constexpr std::size_t kSignatureBytesMax = 4 * kKiB;
inline constexpr std::size_t kSignatureParametersMax = 256;
inline constexpr std::uint32_t kTypeDepthMax = kValueDepthMax;  // a type inside of others
// One element of a command's argv, a variable of its environment, the template of its stdin.
inline constexpr std::size_t kArgumentBytesMax = 128 * kKiB;
// All of these together, so that they fit into one header.
inline constexpr std::size_t kCommandBytesMax = 192 * kKiB;
inline constexpr std::uint32_t kVariablesMax = 64;  // of the environment that a command is given

// Chunks: what is submitted, stored and acknowledged at once.
inline constexpr std::uint32_t kBlockTuplesMax = 256;
inline constexpr std::size_t kBlockBytesAim = 8 * kKiB;  // a block is closed once it holds so much
inline constexpr std::size_t kChunkBytesAim =
    256 * kKiB;  // a chunk is closed once it holds so much
inline constexpr std::uint32_t kChunkTuplesMax = 16384;
inline constexpr std::uint32_t kChunkBlocksMax = 4096;

// Sessions.
inline constexpr auto kHeartbeatInterval = 2s;
inline constexpr auto kLeaseDuration = 6s;
inline constexpr auto kProducerGoneAfter =
    60s;  // a map job whose producer is silent so long is paused
inline constexpr auto kKeepDefault = 7 * 24h;  // a submitted job is kept so long after its end
inline constexpr auto kResendAfter = 1s;       // unacknowledged reports and submits are sent again
// What is due soon anyway is acknowledged together: each acknowledgement alone is a wake-up.
inline constexpr auto kAckDelay = 5ms;
inline constexpr std::uint32_t kAcksAtOnce = 16;
inline constexpr auto kReconnectMin = 100ms;
inline constexpr auto kReconnectMax = 2s;
inline constexpr std::uint32_t kSessionsMax = 20000;
inline constexpr std::uint32_t kSlotsMax = 4096;  // of one worker
inline constexpr std::uint32_t kFunctionsMax = 4096;
inline constexpr std::uint32_t kLabelsMax = 64;          // of one worker, or asked for by one job
inline constexpr std::uint32_t kJobsSteeredMax = 4096;   // named in one Steer
inline constexpr std::uint32_t kReadersMax = 1024;       // of one job
inline constexpr std::uint32_t kPushKeysMax = 4096;      // of one job
inline constexpr std::uint32_t kRunningNamedMax = 4096;  // running tasks named in a heartbeat

// Dispatch.
inline constexpr auto kBatchTime = 2ms;  // aim for the work in one batch
inline constexpr auto kPrefetchTime =
    4ms;  // work waiting at a worker per slot, to hide the round trip
inline constexpr std::size_t kInFlightBytesPerSlot = 1 * kMiB;
inline constexpr std::uint32_t kCrashLimit = 3;  // crashes of one task before it is dead-lettered
inline constexpr std::uint32_t kLossLimit =
    10;                                   // losses of one task with its worker before the same
inline constexpr auto kLossWaitMin = 6s;  // before a task that ran at a lost worker is dealt again
inline constexpr auto kLossWaitMax = 5min;  // the same: 10 % of the time that was invested
inline constexpr auto kAvoidHostFor = 1s;  // that a task prefers other hosts than that of its crash
inline constexpr std::size_t kLostWorkersMax = 1024;  // whose losses are refunded if they return
inline constexpr std::uint32_t kHaltPoliciesMax = 4;  // of one job

// Flow.
inline constexpr std::uint64_t kProducerWindowTasks = 1u << 20;  // accepted and unfinished, per job
inline constexpr std::size_t kProducerWindowBytes = 32 * kMiB;
inline constexpr std::uint64_t kWorkerWindowTasks = 1u
                                                    << 20;  // received and unfinished, per worker
inline constexpr std::size_t kWorkerWindowBytes = 64 * kMiB;
inline constexpr std::size_t kReportsUnackedBytesMax = 64 * kMiB;  // at the worker
inline constexpr std::size_t kGatherWindowBytes =
    8 * kMiB;  // rows sent and not acknowledged, per reader
inline constexpr std::size_t kResultsInMemory =
    64 * kMiB;  // beyond: spilled to an unlinked temporary file
inline constexpr std::uint32_t kUnreadBatchesMax =
    1u << 18;  // recorded and not read; beyond: the same
inline constexpr std::uint64_t kResultsCap = 4096ull * kMiB;  // beyond: that job's dealing pauses

// Tasks.
inline constexpr std::size_t kOutputBytesDefault = 64 * kMiB;  // stdout of a command (--max-output)
inline constexpr std::size_t kCaptureHead = 16 * kKiB;  // of printed output and stderr: the first …
inline constexpr std::size_t kCaptureTail = 16 * kKiB;  // … and the last bytes are kept
inline constexpr std::size_t kFailureTupleMax = 4 * kKiB;  // tuple bytes repeated in a failure
inline constexpr std::size_t kFailureMessageMax = 8 * kKiB;
inline constexpr std::uint32_t kTimeLimitPercentMax = 1'000'000;  // of the median run time
inline constexpr auto kResultFlushTime = 1ms;  // an executor reports after so much unreported work
inline constexpr auto kCancelGrace = 5s;

static_assert(kPartBytesMax + 64 <= kFrameBytesMax && kHeaderBytesMax <= kFrameBytesMax);
static_assert(kCommandBytesMax + kVariablesMax * (kNameBytesMax + 16) + 32 * kKiB <=
              kHeaderBytesMax);
static_assert(kBlockBytesAim <= kChunkBytesAim);
// A chunk may end with an over-long tuple, and a batch of results with an over-long value.
static_assert(kTupleBytesMax + kChunkBytesAim <= kBlobBytesMax);
static_assert(kValueBytesMax + kChunkBytesAim <= kBlobBytesMax);
static_assert(kLeaseDuration >= 3 * kHeartbeatInterval);
static_assert(kChunkTuplesMax <= kProducerWindowTasks && kChunkTuplesMax <= kWorkerWindowTasks);
static_assert(kChunkBytesAim * 2 <= kProducerWindowBytes);

}  // namespace limits
}  // namespace fanmill
