// Reports on their way to the broker: one sequence per session, sent in order, kept until taken,
// and sent again from the first that was not taken (go-back-N).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "proto/blob.hpp"
#include "proto/clock.hpp"
#include "proto/messages.hpp"
#include "proto/range_set.hpp"
#include "worker/agent_core.hpp"

namespace fanmill::worker {

class ReportQueue {
 public:
  // The number and the credit are filled in when it leaves.
  void add(Results results, Blob blob);
  void add(Returned returned);

  // A session began: whatever is not taken is numbered from 1 again.
  void begin_session();
  // Reports up to `report` are taken care of. False: it names one that was never made.
  bool taken(std::uint64_t report, MonoTime now);
  // Appends what is to be sent now. After kResendAfter without progress, and in a session that
  // began, it begins again at the first report not taken, with bounded numbers of reports and bytes
  // per progress until it has caught up.
  void send(std::vector<ToSend>& out, SessionId session, Credit credit, MonoTime now);
  std::optional<MonoTime> resend_at() const;

  std::uint64_t last() const { return taken_ + reports_.size(); }  // the highest number made
  std::uint64_t unacknowledged() const { return reports_.size(); }
  std::size_t bytes() const { return bytes_; }  // of blobs not taken yet
  // Tasks named in reports that are not taken, by lease.
  struct Unfinished {
    JobId job;
    RangeSet tasks;
  };
  std::map<AttemptToken, Unfinished> unfinished() const;
  void forget_all();

 private:
  struct Report {
    std::variant<Results, Returned> message;
    Blob blob;
  };
  std::deque<Report> reports_;  // numbered from taken_ + 1 on
  std::uint64_t taken_ = 0;
  std::uint64_t sent_ = 0;         // up to here they have left, as far as the present pass goes
  std::uint64_t catch_up_to_ = 0;  // reports up to here are being sent again
  std::size_t bytes_ = 0;
  std::size_t sent_bytes_ = 0;  // of those that left and are not taken
  std::optional<MonoTime> resend_at_;
  std::uint64_t returned_made_ = 0;
};

}  // namespace fanmill::worker
