#include "producer/broker_watch.hpp"

#include "producer/query.hpp"

namespace fanmill::producer {

std::optional<Error> BrokerWatch::look(MonoTime now) {
  if (client_.session().is_connected()) {
    if (lost_at_ && !quiet_) console_.note("the broker is back");
    lost_at_.reset();
    was_there_ = true;
    return {};
  }
  const std::optional<Error>& trouble = client_.connect_error();
  if (!was_there_) {
    const bool refused = trouble && trouble->code == ErrorCode::kRefused;
    if (!refused && now - began_ < kAnswerWithin) return {};
    if (trouble) return trouble;
    return Error{ErrorCode::kUnreachable, no_broker_answers(given_)};
  }
  if (!lost_at_) {
    lost_at_ = now;
    if (!quiet_) console_.note("the connection to the broker is lost; trying again");
  }
  return {};
}

}  // namespace fanmill::producer
