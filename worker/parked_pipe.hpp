// Where an executor leaves the read end of its command's stderr while the command runs: as a
// message in a socket pair that the agent holds too. Nobody but the executor takes it out again,
// unless the executor is killed: then the agent does, and reads what nobody has read.
#pragma once

#include <sys/types.h>

#include "worker/spawn.hpp"

namespace fanmill::worker {

// The two ends of one socket pair; -1: there is none, and nothing is parked.
struct ParkingPlace {
  int in = -1;
  int out = -1;
};

// The numbers that an executor with commands gets its place under.
inline constexpr ParkingPlace kParkingPlace{5, 6};

struct OwnedParkingPlace {
  Fd in;
  Fd out;
};
// Both ends empty where the system has no more of them.
OwnedParkingPlace make_parking_place();

// A copy of `pipe` stays in the pair until it is taken out. What cannot be parked is left out: only
// the last words of a killed executor are lost by it.
void park(int in, int pipe);
// The one that was parked first, or an empty Fd. Never waits.
Fd take_parked(int out);

// Moves what waits in `pipe` to the end of `file`, a file in memory that is not open for appending,
// within the kernel: at every moment the bytes are in the one or in the other. As read(2) returns:
// how many, 0 at the end, -1 with errno.
ssize_t move_to_end(int pipe, int file);

// All that waits, without waiting for more. At most kMovedMax bytes, because a process that got
// away may write for ever.
void move_all_to_end(int pipe, int file);

}  // namespace fanmill::worker
