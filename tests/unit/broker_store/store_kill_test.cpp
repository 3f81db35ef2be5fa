// A store whose process is killed, and one whose disk is full.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>

#include "tests/unit/broker_store/store_fixture.hpp"

namespace fanmill::broker {
namespace {

std::string blob_for(std::uint64_t number) {
  return std::string(1 + number % 5000, static_cast<char>('a' + number % 26));
}

// Writes records without end, and says through `fd` how far they are durable.
[[noreturn]] void write_until_killed(const std::string& path, std::uint64_t from, int fd) {
  auto store = SqliteStore::open({path, sqlite::Durability::kOs, 1U << 20, 1U << 20}, from);
  if (!store) ::_exit(2);
  std::uint64_t handed = 0;
  if (from == 1) {
    (*store)->write(writes(put_job()));
    ++handed;
  }
  for (std::uint64_t number = from;; ++number) {
    (*store)->write(writes(put_record(number, number, 1, blob_for(number))));
    ++handed;
    if (number % 16 != 0) continue;
    const std::uint64_t durable = (*store)->durable();
    const std::uint64_t records = durable - std::min<std::uint64_t>(durable, from == 1 ? 1 : 0);
    const std::uint64_t last = from - 1 + records;
    if (::write(fd, &last, sizeof last) != sizeof last) ::_exit(3);
    if (handed - durable > 4096) wait_durable(**store, handed - 2048);
  }
}

TEST_F(StoreTest, NothingDurableIsLostWhenItsProcessIsKilled) {
  std::uint64_t there = 0;
  for (int life = 0; life < 12; ++life) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(path(), there + 1, ends[1]);
    ::close(ends[1]);
    std::uint64_t told = 0;
    while (told < there + 100 * static_cast<std::uint64_t>(1 + life % 5)) {
      std::uint64_t last = 0;
      ASSERT_EQ(::read(ends[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
      told = std::max(told, last);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (std::uint64_t last = 0; ::read(ends[0], &last, sizeof last) == sizeof last;)
      told = std::max(told, last);
    ::close(ends[0]);

    auto store = opened();
    ASSERT_TRUE(store) << store.error().message;
    const Recovered recovered = (*store)->take_recovered();
    ASSERT_EQ(recovered.jobs.size(), 1U);
    const auto& records = recovered.jobs[0].records;
    ASSERT_GE(records.size(), told) << "life " << life;
    for (std::size_t i = 0; i < records.size(); ++i) {
      ASSERT_EQ(records[i].put.record.value, i + 1);
      ASSERT_EQ(text((*store)->read(RecordBytes{kJob, RecordId{i + 1}})), blob_for(i + 1));
    }
    there = records.size();
  }
  EXPECT_GT(there, 1000U);
}

bool write_all(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return done;
}

// In a mount namespace of its own. Exit status 0, or the line of what failed.
int fill_a_small_disk(const std::string& directory) {
#define NEED(condition) \
  if (!(condition)) return __LINE__ % 250 + 1
  const uid_t uid = ::getuid();
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 255;
    if (!write_all("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1")) return 255;
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 255;
  if (::mount("small", directory.c_str(), "tmpfs", 0, "size=12m") != 0) return 255;
  const std::string path = directory + "/store.db";
  const std::string big(200000, 'x');
  std::uint64_t chunks = 0;
  {
    auto store = SqliteStore::open({path, sqlite::Durability::kOs, 1U << 20, 2U << 20}, 1);
    NEED(store);
    (*store)->write(writes(put_job()));
    while (!(*store)->full() && chunks < 200) {
      (*store)->write(writes(put_chunk(chunks, 1, big)));
      if (!wait_durable(**store, ++chunks + 1) && !(*store)->full()) break;
    }
    NEED((*store)->full() && !(*store)->failure());
    // What was handed over goes into the reserve.
    NEED(wait_durable(**store, chunks + 1));
    // There is room again: the reserve is taken, and the store is well.
    (*store)->write(writes(DropJob{kJob}));
    NEED(wait_durable(**store, chunks + 2));
  }
  NEED(::mount("small", directory.c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0);
  auto store = SqliteStore::open({path, sqlite::Durability::kOs, 1U << 20, 2U << 20}, 1);
  NEED(store);
  NEED((*store)->take_recovered().jobs.empty());
  NEED(std::filesystem::exists(path + ".reserve"));
  return 0;
#undef NEED
}

TEST_F(StoreTest, AFullDiskCostsNothingThatWasAccepted) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(fill_a_small_disk(directory_));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 255) GTEST_SKIP() << "this system allows no mount of one's own";
  EXPECT_EQ(WEXITSTATUS(status), 0) << "line " << WEXITSTATUS(status) - 1 << " modulo 250";
}

}  // namespace
}  // namespace fanmill::broker
