// The executor protocol: frames between the agent and one executor over a socketpair (descriptor 3
// of the executor), and the page they share (descriptor 4). A frame is a 4-byte big-endian length
// and one msgpack array [type, field…]; blobs are its last field, as bin. PROTOCOL.md is the
// reference for other languages.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/error.hpp"
#include "proto/ids.hpp"
#include "proto/messages.hpp"

namespace fanmill::executor {

inline constexpr int kSocketFd = 3;
inline constexpr int kPageFd = 4;

// Tasks handed to one executor are numbered from 0 by *position*, for its whole life.
//   executor, per task:  started = p + 1;  if (end <= p) { undo: started = p; send Stopped; forget
//   what is queued }
//                        else { run; finished = p + 1 }
//   agent, to recall:    end = e;  everything from max(e, started) on will not run
//   agent, as it will kill what runs of a cancelled job: stopped_job = its id
// All accesses are sequentially consistent, so either the executor sees the lower end or the agent
// sees the start. Where agent_fences is 1, the agent issues membarrier's global expedited fence
// between its store and its load, and an executor that is registered for it needs none of its own.
struct Page {
  std::atomic<std::uint64_t> started;
  std::atomic<std::uint64_t> finished;
  std::atomic<std::uint64_t> end;
  std::atomic<std::int32_t> command_group;  // process group of the running command, 0: none
  std::atomic<std::uint64_t> stopped_job;   // the last one whose running tasks are to end, 0: none
  std::atomic<std::uint32_t> agent_fences;  // written before the executor starts
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::int32_t>::is_always_lock_free);
inline constexpr std::size_t kPageBytes = 4096;
static_assert(sizeof(Page) <= kPageBytes);

// ---- executor → agent ----
struct Hello {  // type 1, first frame
  std::uint32_t version{};
  bool uses_page{};  // false: it is given one task at a time
  std::vector<FunctionOffer> offers;
};
// Tasks [position, position + count) ended alike. `blob` as in result_batch.hpp, without the
// failures' tuples and slot.
struct Done {  // type 2
  std::uint64_t position{};
  std::uint64_t count{};
  Outcome outcome{};
  std::uint64_t values_bytes{};
  std::uint64_t run_ns{};
  std::string_view blob;  // points into the frame
};
// Nothing from `position` on was begun; the executor has met `end` and forgotten its queue. A Work
// frame sent before that may still lie unread in the socket: from Stopped on the executor passes
// over every Work until the next Bind, which the agent always sends before it deals again, because
// all earlier bindings are void.
struct Stopped {  // type 3
  std::uint64_t position{};
};
using FromExecutor = std::variant<Hello, Done, Stopped>;

// ---- agent → executor ----
struct Bind {  // type 16; before the first Work of a job
  JobId job;
  JobSpec spec;
};
// `count` tasks of `job`: positions [position, …), indexes [first, …). `blob`: tuples, `skip` of
// them before the first.
struct Work {  // type 17
  JobId job;
  std::uint64_t position{};
  TaskIndex first;
  std::uint64_t count{};
  std::uint32_t skip{};
  AttemptToken token;
  std::uint32_t attempt{};
  std::string_view blob;  // points into the frame
};
struct Forget {  // type 18; the job's binding is no longer needed
  JobId job;
};
using ToExecutor = std::variant<Bind, Work, Forget>;

// Appends one whole frame, length included, to `out`.
void append_frame(std::string& out, const FromExecutor& message);
void append_frame(std::string& out, const ToExecutor& message);
// The same for Done and Work without their blob's bytes: the caller writes exactly blob.size()
// bytes behind it.
void append_frame_head(std::string& out, const Done& message);
void append_frame_head(std::string& out, const Work& message);

// Bytes of one frame at the front of `bytes`, its 4-byte length included; 0 if the length is not
// complete yet. Refused (kLimit): a frame longer than limits::kBlobBytesMax + kHeaderBytesMax.
Result<std::size_t> frame_size(std::string_view bytes);
// `body` is one frame without its length.
Result<FromExecutor> decode_from_executor(std::string_view body);
Result<ToExecutor> decode_to_executor(std::string_view body);

}  // namespace fanmill::executor
