// What printed files keep, and what is left of a pipe whose reader was killed.
#include "worker/captured.hpp"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "proto/limits.hpp"
#include "worker/parked_pipe.hpp"

namespace fanmill::worker {
namespace {

constexpr std::size_t kHeadAndTail = limits::kCaptureHead + limits::kCaptureTail;

struct Pipe {
  Fd read;
  Fd write;
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
  void say(const std::string& text) const {
    EXPECT_EQ(::write(write.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
};

Fd memory_file() { return Fd(memfd_create("test", MFD_CLOEXEC)); }

struct stat status_of(const Fd& file) {
  struct stat status{};
  EXPECT_EQ(fstat(file.get(), &status), 0);
  return status;
}

TEST(FreeMiddle, GivesBackTheMemoryBetweenHeadAndTail) {
  const Fd file = memory_file();
  const std::string piece(limits::kMiB, 'x');
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(write(file.get(), piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
  }
  const std::string before = read_head_tail(file.get());
  free_middle(file.get());
  EXPECT_EQ(read_head_tail(file.get()), before);
  EXPECT_EQ(status_of(file).st_size, 8 * static_cast<off_t>(limits::kMiB));
  EXPECT_LE(status_of(file).st_blocks * 512, static_cast<blkcnt_t>(kHeadAndTail + 2 * 4096));
}

TEST(FreeMiddle, LeavesAFileAloneThatIsAllHeadAndTail) {
  const Fd file = memory_file();
  const std::string text(kHeadAndTail, 'x');
  ASSERT_EQ(write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  free_middle(file.get());
  EXPECT_EQ(read_head_tail(file.get()), text);
}

TEST(ParkedPipe, IsReadByWhoeverHoldsThePlaceOnceItsOwnerHasLetGo) {
  const OwnedParkingPlace place = make_parking_place();
  const Fd file = memory_file();
  Pipe pipe;
  park(place.in.get(), pipe.read.get());
  pipe.say("read in time, ");
  EXPECT_EQ(move_to_end(pipe.read.get(), file.get()), 14);
  pipe.say("last words");
  pipe.read.reset();
  const Fd found = take_parked(place.out.get());
  ASSERT_TRUE(found);
  move_all_to_end(found.get(), file.get());
  EXPECT_EQ(read_head_tail(file.get()), "read in time, last words");
}

TEST(ParkedPipe, IsNotThereWhenItWasTakenOut) {
  const OwnedParkingPlace place = make_parking_place();
  const Pipe pipe;
  park(place.in.get(), pipe.read.get());
  EXPECT_TRUE(take_parked(place.out.get()));
  EXPECT_FALSE(take_parked(place.out.get()));
}

TEST(ParkedPipe, IsNothingWithoutAPlace) {
  const Pipe pipe;
  park(-1, pipe.read.get());
  EXPECT_FALSE(take_parked(-1));
}

TEST(MoveToEnd, SaysThatNothingWaitsAndThatNothingWillCome) {
  const Fd file = memory_file();
  Pipe pipe;
  EXPECT_EQ(move_to_end(pipe.read.get(), file.get()), -1);
  EXPECT_EQ(errno, EAGAIN);
  pipe.write.reset();
  EXPECT_EQ(move_to_end(pipe.read.get(), file.get()), 0);
}

}  // namespace
}  // namespace fanmill::worker
