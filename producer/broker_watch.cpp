#include "producer/broker_watch.hpp"

#include "producer/query.hpp"

namespace fanmill::producer {

std::optional<Error> BrokerWatch::look(MonoTime now) {
  if (client_.session().is_connected()) {
    if (lost_at_ && say_) say_("the broker is back");
    lost_at_.reset();
    was_there_ = true;
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
  const bool near = given_.empty() || given_.starts_with("ipc://");
  const bool patient = now - *lost_at_ < limits::kProducerGoneAfter;
  const std::string gone =
      "the broker at " + (given_.empty() ? std::string("this process") : given_) + " is gone";
  if (follows_ == Follows::kKeptJobs || durable_) return {};
  // Nobody listens there any more: what it kept in memory went with it. Between hosts it may be the
  // network alone.
  const bool lost = kept_in_memory_ && trouble && near;
  if (!lost && patient) return {};
  return Error{ErrorCode::kUnreachable,
               gone + "; what it kept in memory is lost with it, so this job has to be run again"};
}

}  // namespace fanmill::producer
