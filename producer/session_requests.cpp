#include "producer/session_requests.hpp"

#include "proto/limits.hpp"

namespace fanmill::producer {

void SessionRequests::session_began() {
  for (auto& [request, waiting] : unanswered_) waiting.send_at.reset();
}

void SessionRequests::answered(RequestId request, const Blob& document, std::vector<Notice>& out) {
  if (unanswered_.erase(request) == 0) return;
  out.emplace_back(AnswerArrived{.request = request, .document = document});
}

void SessionRequests::refused(RequestId request, Error error, std::vector<Notice>& out) {
  if (unanswered_.erase(request) == 0) return;
  out.emplace_back(RequestRefused{.request = request, .error = std::move(error)});
}

void SessionRequests::all_refused(const Error& error, std::vector<Notice>& out) {
  while (!unanswered_.empty()) refused(unanswered_.begin()->first, error, out);
}

void SessionRequests::collect(MonoTime now, SessionId session, std::vector<ToSend>& out) {
  bool steers = false;
  for (auto& [request, waiting] : unanswered_) {
    if (std::holds_alternative<Steer>(waiting.message) && std::exchange(steers, true)) continue;
    if (waiting.send_at && now < *waiting.send_at) continue;
    out.push_back({.message = waiting.message, .session = session, .blob = {}});
    waiting.send_at = now + limits::kResendAfter;
  }
}

std::optional<MonoTime> SessionRequests::due_at() const {
  std::optional<MonoTime> due;
  bool steers = false;
  for (const auto& [request, waiting] : unanswered_) {
    if (std::holds_alternative<Steer>(waiting.message) && std::exchange(steers, true)) continue;
    const MonoTime at = waiting.send_at.value_or(MonoTime::min());
    due = std::min(due.value_or(at), at);
  }
  return due;
}

}  // namespace fanmill::producer
