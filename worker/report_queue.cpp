#include "worker/report_queue.hpp"

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "worker/mutation.hpp"

namespace fanmill::worker {
namespace {
// So much is under way at a time when reports are sent again: the broker drops what it has not
// asked for, and after a pause of it everything would otherwise be sent many times.
constexpr std::size_t kResendBytes = 1 * limits::kMiB;
constexpr std::uint64_t kResendReports = 256;
}  // namespace

void ReportQueue::add(Results results, Blob blob) {
  bytes_ += blob.size();
  reports_.push_back({std::move(results), std::move(blob)});
}

void ReportQueue::add(Returned returned) {
  if (++returned_made_ % 3 == 0 && mutated(Mutation::kLoseReturned)) return;
  reports_.push_back({std::move(returned), {}});
}

void ReportQueue::begin_session() {
  if (!mutated(Mutation::kKeepReportNumbers)) taken_ = 0;
  sent_ = taken_;
  sent_bytes_ = 0;
  catch_up_to_ = last();
  resend_at_.reset();
}

bool ReportQueue::taken(std::uint64_t report, MonoTime now) {
  if (report > last()) return false;
  if (report <= taken_) return true;
  while (taken_ < report) {
    const std::size_t size = reports_.front().blob.size();
    bytes_ -= size;
    ++taken_;
    if (taken_ <= sent_) sent_bytes_ -= size;
    reports_.pop_front();
  }
  sent_ = std::max(sent_, taken_);
  resend_at_.reset();
  if (sent_ > taken_) resend_at_ = now + limits::kResendAfter;
  return true;
}

void ReportQueue::send(std::vector<ToSend>& out, SessionId session, Credit credit, MonoTime now) {
  if (resend_at_ && now >= *resend_at_) {
    catch_up_to_ = std::max(catch_up_to_, sent_);
    sent_ = taken_;
    sent_bytes_ = 0;
    resend_at_.reset();
  }
  while (sent_ < last()) {
    Report& report = reports_[sent_ - taken_];
    const bool catching_up = taken_ < catch_up_to_;
    const bool enough =
        sent_bytes_ + report.blob.size() > kResendBytes || sent_ - taken_ >= kResendReports;
    if (catching_up && sent_ > taken_ && enough) break;
    ++sent_;
    sent_bytes_ += report.blob.size();
    ToSend& leaving = out.emplace_back(ToSend{{}, session, report.blob});
    std::visit(
        [&](auto& message) {
          message.report = sent_;
          message.credit = credit;
          leaving.message = message;
        },
        report.message);
    if (!resend_at_) resend_at_ = now + limits::kResendAfter;
  }
}

std::optional<MonoTime> ReportQueue::resend_at() const { return resend_at_; }

std::map<AttemptToken, ReportQueue::Unfinished> ReportQueue::unfinished() const {
  std::map<AttemptToken, Unfinished> all;
  for (const Report& report : reports_) {
    if (const auto* results = std::get_if<Results>(&report.message)) {
      Unfinished& of = all[results->token];
      of.job = results->job;
      of.tasks.add({results->first, results->count});
    } else {
      const auto& returned = std::get<Returned>(report.message);
      // What came without its job's spec was never held.
      if (returned.ranges.empty() || returned.unbound) continue;
      Unfinished& of = all[returned.token];
      of.job = returned.job;
      for (const IndexRange& range : returned.ranges) of.tasks.add(range);
    }
  }
  return all;
}

void ReportQueue::forget_all() {
  reports_.clear();
  bytes_ = sent_bytes_ = 0;
  sent_ = taken_;
}

}  // namespace fanmill::worker
