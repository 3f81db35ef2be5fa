#include "broker/core/asking.hpp"

#include "broker/core/report.hpp"
#include "broker/core/selector.hpp"

namespace fanmill::broker {
namespace {

Result<std::string> answer_to(const World& world, const Ask& ask) {
  switch (ask.topic) {
    case Topic::kJobs:
    case Topic::kJobDetail: {
      const auto jobs = choose_jobs(world, ask.selector);
      if (!jobs) return tl::make_unexpected(jobs.error());
      return report_jobs(world, *jobs, ask.topic == Topic::kJobDetail);
    }
    case Topic::kWorkers:
      return report_workers(world);
    case Topic::kStatus:
      return report_status(world);
  }
  return fail(ErrorCode::kProtocol, "nothing is known of that");
}

}  // namespace

void on_ask(World& world, const Producer& producer, const Ask& ask) {
  auto answer = answer_to(world, ask);
  if (!answer) {
    world.send_now(
        producer.peer, producer.session,
        ToProducer{Refused{{}, {}, answer.error().code, answer.error().message, ask.request}});
    return;
  }
  // Nothing is told that a crash of the store could make untrue.
  world.send_after(producer.peer, producer.session, ToProducer{Answer{ask.request}},
                   Blob::from(std::move(*answer)));
}

}  // namespace fanmill::broker
