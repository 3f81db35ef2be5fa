// Somebody else at a kept job: reads it with a cursor of its own, pushes tuples to it, or pauses,
// resumes and closes it. Speaks the protocol itself: a client written from PROTOCOL.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/network.hpp"
#include "tests/sim/world.hpp"

namespace fanmill::sim {

class SimObserver {
 public:
  SimObserver(World& world, std::uint32_t number);

  bool is_done() const;
  std::string text() const;

 private:
  // ---- the session ----
  void connect();
  void tick();
  void hear(const Envelope<ToProducer>& envelope, const Blob& blob);
  void say(const FromProducer& message, const Blob& blob = {});
  void begin();  // of a session
  void go_on();  // now and then
  std::optional<JobId> job() const { return world_.oracle.id_of(plan_.job); }

  // ---- reading ----
  void ask_for_rows();
  void on_rows(const Rows& rows, const Blob& blob);
  void on_end(bool of_the_job, const JobCounts& counts);

  // ---- pushing ----
  std::uint64_t chunks() const;
  std::uint64_t first_of(std::uint64_t sequence) const;  // tuple
  void push_on();
  void on_pushed(const Pushed& pushed);

  // ---- retrying ----
  void retry_on();

  // ---- steering ----
  void steer_on();
  void on_answer(const Answer& answer, const Blob& blob);

  World& world_;
  const ObserverPlan& plan_;
  const std::uint32_t number_;
  const InstanceId instance_;
  PeerId connection_;
  SessionId session_;
  std::uint32_t attempt_ = 0;
  MonoTime heard_{};
  MonoTime beat_{};
  MonoTime said_{};  // what waits for an answer
  bool done_ = false;

  std::uint64_t cursor_ = 0;
  std::uint64_t acknowledged_ = 0;
  bool reading_ = false;  // a wake-up to acknowledge is on its way
  std::uint32_t looks_ = 0;

  std::uint64_t taken_ = 0;  // chunks
  std::uint64_t sent_ = 0;
  std::optional<Credit> room_;

  std::uint32_t rounds_ = 0;
  Steering steering_ = Steering::kRetry;  // what is to be asked next

  std::vector<std::pair<MonoTime, Steering>> agenda_;
  std::uint64_t request_ = 0;  // 0: none is out
  std::uint64_t requests_;
};

}  // namespace fanmill::sim
