#include "producer/broker_watch.hpp"

#include <utility>

#include "producer/query.hpp"

namespace fanmill::producer {

std::optional<Error> BrokerWatch::look(MonoTime now) {
  if (client_.session().is_connected()) {
    if (lost_at_ && say_) say_("the broker is back");
    lost_at_.reset();
    was_there_ = true;
    tell_full();
    return {};
  }
  const std::optional<Error>& trouble = client_.connect_error();
  if (!was_there_) {
    const bool refused = trouble && trouble->code == ErrorCode::kRefused;
    if (!refused && now - began_ < kAnswerWithin) return {};
    if (trouble) return trouble;
    return Error{ErrorCode::kUnreachable, given_.empty()
                                              ? "the private broker of this run does not answer"
                                              : no_broker_answers(given_)};
  }
  if (!lost_at_) {
    lost_at_ = now;
    if (say_) say_("the connection to the broker is lost; trying again");
  }
  if (follows_ == Follows::kKeptJobs || durable_) return {};
  // Nobody listens there any more: what it kept in memory went with it. Between hosts it may be the
  // network alone.
  const bool near = given_.empty() || given_.starts_with("ipc://");
  const bool lost = kept_in_memory_ && trouble && near;
  if (!lost && now - *lost_at_ < limits::kProducerGoneAfter) return {};
  return Error{ErrorCode::kUnreachable,
               "the broker at " + (given_.empty() ? std::string("this process") : given_) +
                   " is gone; what it kept in memory is lost with it, so this job has to be run "
                   "again"};
}

void BrokerWatch::tell_full() {
  const bool full = client_.session().broker_is_full();
  if (std::exchange(full_, full) == full || !say_) return;
  say_(full ? "the broker's disk is full: it takes no tuples until there is room"
            : "there is room on the broker's disk again");
}

}  // namespace fanmill::producer
