#include "broker/core/pushes.hpp"

#include <algorithm>

#include "broker/core/intake.hpp"
#include "broker/core/mutation.hpp"
#include "proto/job_id.hpp"

namespace fanmill::broker {
namespace {

void refuse(World& world, const Producer& producer, JobId job, Error error) {
  world.send_now(producer.peer, producer.session,
                 ToProducer{Refused{{}, job, error.code, std::move(error.message)}});
}

void owe(World& world, Job& job, const std::string& key, Pusher& pusher) {
  if (!pusher.due) job.pushes->due.push_back(key);
  pusher.due = true;
  world.touch(job);
}

// A chunk that begins within the window is taken whole, so that an over-long one can ever go.
bool has_room(const World& world, const Job& job) {
  const Credit credit = credit_of(world, job);
  return !world.full && job.next_index < credit.tasks && job.accepted_bytes < credit.bytes;
}

std::uint64_t part(std::uint64_t limit, std::uint64_t used, std::uint64_t parts) {
  return limit <= used ? 0 : std::max<std::uint64_t>((limit - used) / parts, 1);
}

Credit room_of(const World& world, const Job& job) {
  const Credit credit = credit_of(world, job);
  const std::uint64_t parts =
      std::max<std::uint64_t>({job.pushes->heard, job.pushes->heard_before, 1});
  return {part(credit.tasks, job.next_index, parts), part(credit.bytes, job.accepted_bytes, parts)};
}

Result<void> check(const Job& job, const Push& push, const Pusher* known) {
  if (push.key.empty()) return fail(ErrorCode::kUsage, "a push needs a key");
  // What was taken stays taken, whatever became of the job.
  const bool taken_before = known != nullptr && (push.count == 0 || push.sequence < known->next);
  if (job.closed && !taken_before)
    return fail(ErrorCode::kConflict,
                "job " + to_text(job.id) + (job.cancelled ? " was cancelled" : " is closed"));
  if (known == nullptr && job.pushes && job.pushes->keys.size() >= limits::kPushKeysMax)
    return fail(ErrorCode::kLimit, "job " + to_text(job.id) + " has been pushed to under " +
                                       std::to_string(limits::kPushKeysMax) +
                                       " keys, as many as it can");
  return {};
}

}  // namespace

void on_push(World& world, Producer& producer, const Push& push, const Blob& blob) {
  Job* job = world.job(push.job);
  if (job == nullptr) {
    refuse(world, producer, push.job, {ErrorCode::kNotFound, "no such job at this broker"});
    return;
  }
  Pusher* known = nullptr;
  if (job->pushes) {
    const auto it = job->pushes->keys.find(push.key);
    if (it != job->pushes->keys.end()) known = &it->second;
  }
  if (const auto checked = check(*job, push, known); !checked) {
    refuse(world, producer, job->id, checked.error());
    return;
  }
  if (!job->pushes) {
    job->pushes = std::make_unique<PushKeys>();
    job->pushes->said = credit_of(world, *job);
  }
  PushKeys& pushes = *job->pushes;
  Pusher& pusher = pushes.keys[push.key];
  pusher.session = producer.session;
  producer.jobs.insert(job->id);
  if (pusher.round != pushes.round) {
    pusher.round = pushes.round;
    ++pushes.heard;
  }
  const bool next =
      push.sequence == pusher.next ||
      (mutated(Mutation::kPushTwice) && push.sequence < pusher.next && !job->closed) ||
      (mutated(Mutation::kPushWithGaps) && push.sequence > pusher.next);
  if (push.count > 0 && next && has_room(world, *job)) {
    const auto taken = take_chunk(world, *job, push.count, push.blocks, blob);
    if (!taken) {
      refuse(world, producer, job->id, taken.error());
      return;
    }
    pusher.next = push.sequence + 1;
    pusher.tasks += push.count;
    world.write(PutPush{job->id, push.key, pusher.next, pusher.tasks});
    if (mutated(Mutation::kAckPushEarly))
      world.send_now(
          producer.peer, producer.session,
          ToProducer{Pushed{job->id, push.key, pusher.next, job->next_index, {}, pusher.tasks}});
  }
  owe(world, *job, push.key, pusher);
}

void say_pushed(World& world, Job& job) {
  if (!job.pushes) return;
  PushKeys& pushes = *job.pushes;
  const Credit credit = credit_of(world, job);
  if (credit_has_grown(world, pushes.said, credit) && !mutated(Mutation::kForgetPushers)) {
    pushes.said = credit;
    ++pushes.round;
    pushes.heard_before = std::exchange(pushes.heard, 0);
    for (auto& [key, pusher] : pushes.keys)
      if (pusher.session != SessionId{}) owe(world, job, key, pusher);
  }
  for (const std::string& key : std::exchange(pushes.due, {})) {
    Pusher& pusher = pushes.keys.at(key);
    pusher.due = false;
    const Producer* producer = world.producer(pusher.session);
    if (producer == nullptr) continue;
    world.send_after(producer->peer, producer->session,
                     ToProducer{Pushed{job.id, key, pusher.next, job.next_index,
                                       room_of(world, job), pusher.tasks}});
  }
}

void repeat_pushed(World& world, const Producer& producer, Job& job) {
  if (!job.pushes || mutated(Mutation::kForgetPushers)) return;
  for (auto& [key, pusher] : job.pushes->keys)
    if (pusher.session == producer.session) owe(world, job, key, pusher);
}

void forget_pusher(const Producer& producer, Job& job) {
  if (!job.pushes) return;
  for (auto& [key, pusher] : job.pushes->keys)
    if (pusher.session == producer.session) pusher.session = {};
}

}  // namespace fanmill::broker
