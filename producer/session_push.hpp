// Tuples on their way into a job that somebody else opened: chunks numbered under a key of ours,
// said again until the broker has them. Internal to producer/session.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "producer/session.hpp"

namespace fanmill::producer {

class SessionPush {
 public:
  SessionPush(PushHandle handle, JobId job, std::string key)
      : handle_(handle), job_(job), key_(std::move(key)) {}

  // ---- from the user ----
  bool may_push() const;
  void push(ChunkBuilder::Chunk chunk, std::vector<Notice>& out);
  bool settled() const { return known_ && pending_.empty(); }
  std::uint64_t pushed_tasks() const { return pushed_tasks_; }

  // ---- from the broker ----
  void session_began();
  void pushed(const Pushed& message, MonoTime now);
  void refused(Error error, std::vector<Notice>& out);

  void collect(MonoTime now, SessionId session, std::vector<ToSend>& out);
  std::optional<MonoTime> due_at() const;

  JobId job() const { return job_; }
  const std::string& key() const { return key_; }
  bool over() const { return over_; }

 private:
  struct Pending {
    std::uint64_t sequence;
    std::uint64_t count;
    std::vector<Block> blocks;
    Blob bytes;
  };
  const PushHandle handle_;
  const JobId job_;
  const std::string key_;

  bool over_ = false;
  bool known_ = false;             // the broker has said where the key stands
  std::uint64_t next_ = 0;         // sequence of the next chunk from the user
  std::uint64_t taken_ = 0;        // those before it are with the broker
  std::uint64_t taken_tasks_ = 0;  // in those of an earlier run; 0: not told
  Credit room_;                    // beyond `taken_`
  std::deque<Pending> pending_;    // from `taken_` on
  std::size_t pending_bytes_ = 0;
  std::size_t sent_ = 0;  // of them, in this session
  std::uint64_t pushed_tasks_ = 0;
  MonoTime resend_at_ = MonoTime::min();
};

}  // namespace fanmill::producer
