// The requests of a producer's session that have no answer yet: questions, and orders to steer
// jobs. Internal to producer/session.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "producer/session.hpp"

namespace fanmill::producer {

class SessionRequests {
 public:
  // `make` is given the request's number and gives its message.
  template <class Make>
  RequestId add(const Make& make) {
    const RequestId request{++last_};
    unanswered_.emplace(request, Waiting{.message = make(request.value), .send_at = {}});
    return request;
  }
  void drop(RequestId request) { unanswered_.erase(request); }

  void session_began();  // all are to be said again
  // Repeated answers, and those to what was dropped, are passed over.
  void answered(RequestId request, const Blob& document, std::vector<Notice>& out);
  void refused(RequestId request, Error error, std::vector<Notice>& out);
  void all_refused(const Error& error, std::vector<Notice>& out);

  // Whatever is due now, appended to `out`; and when something will be due. Of orders to steer only
  // the first is out: a broker passes over one that comes behind a later one.
  void collect(MonoTime now, SessionId session, std::vector<ToSend>& out);
  std::optional<MonoTime> due_at() const;

 private:
  struct Waiting {
    FromProducer message;
    std::optional<MonoTime> send_at;  // none: at once
  };

  std::map<RequestId, Waiting> unanswered_;
  std::uint64_t last_ = 0;
};

}  // namespace fanmill::producer
