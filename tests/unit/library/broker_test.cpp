// The same calls against a broker and workers that are processes of their own, over ipc.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fanmill/fanmill.hpp>
#include <filesystem>
#include <ranges>
#include <string>
#include <vector>

#include "tests/unit/library/processes.hpp"

namespace {

using namespace std::chrono_literals;
using fanmill::Cause;
using fanmill::Pool;

class LibraryBroker : public testing::Test {
 protected:
  LibraryBroker() {
    char name[] = "/tmp/fanmill-test-XXXXXX";
    directory_ = mkdtemp(name);
    endpoint_ = "ipc://" + directory_ + "/broker";
  }
  ~LibraryBroker() override {
    // Workers first; one that is busy is not waited for.
    for (auto pid = started_.rbegin(); pid != started_.rend(); ++pid) {
      kill(*pid, SIGKILL);
      waitpid(*pid, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }

  pid_t start(std::vector<std::string> command) {
    command.front() = std::string(FANMILL_BIN) + "/" + command.front();
    std::vector<char*> arguments;
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, arguments[0], &quiet, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&quiet);
    started_.push_back(pid);
    return pid;
  }
  pid_t start_broker() {
    const pid_t pid = start({"fanmill-broker", "--listen", endpoint_, "--durability", "memory"});
    EXPECT_TRUE(wait_until([&] { return accepts(directory_ + "/broker"); }));
    return pid;
  }
  // The file alone is there before anybody listens.
  static bool accepts(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return connected;
  }
  void start_worker() { start({"fanmill-worker", "--broker", endpoint_, "--slots", "2"}); }

  std::string directory_;
  std::string endpoint_;
  std::vector<pid_t> started_;
};

TEST_F(LibraryBroker, TheSameCallsRunThere) {
  start_broker();
  start_worker();
  Pool pool({.broker = endpoint_});
  ASSERT_EQ(pool.error(), nullptr);
  EXPECT_TRUE(children_named("fanmill-executor").empty());
  const auto values = pool.map<int>("identity", std::views::iota(0, 100'000)).values();
  ASSERT_TRUE(values) << values.error().text();
  EXPECT_EQ(values->back(), 99'999);
  EXPECT_EQ(pool.submit<int>("identity", 7).get().value(), 7);
  for (auto& row : pool.map<int>("identity", std::views::iota(0))) {
    if (row.index() == 1000) break;
  }
  for (auto& row : pool.map<int>("nope", std::views::iota(0, 3), {.wait_workers = 10ms})) {
    EXPECT_EQ(row.error().cause, Cause::kUnknownFunction);
  }
}

TEST_F(LibraryBroker, AJobWaitsForAWorkerThatComesLater) {
  start_broker();
  Pool pool({.broker = endpoint_});
  auto later = pool.function<int>("identity", {.wait_workers = 20s})(3);
  EXPECT_FALSE(later.wait_for(10ms));
  start_worker();
  EXPECT_EQ(later.get().value(), 3);
}

TEST_F(LibraryBroker, ABrokerThatEndsIsAFailureOfTheJob) {
  const pid_t broker = start_broker();
  start_worker();
  Pool pool({.broker = endpoint_});
  std::uint64_t rows = 0;
  std::string last;
  for (auto& row : pool.map<void>("sleep", std::vector{0.0, 60.0})) {
    if (rows++ == 0) kill(broker, SIGKILL);
    if (!row) {
      EXPECT_EQ(row.error().cause, Cause::kUnreachable);
      last = row.error().text();
    }
  }
  EXPECT_EQ(rows, 2u);
  EXPECT_NE(last.find("is gone"), std::string::npos) << last;
}

TEST_F(LibraryBroker, NoBrokerIsAFailureThatSaysWhatToDo) {
  Pool pool({.broker = endpoint_});
  ASSERT_NE(pool.error(), nullptr);
  EXPECT_EQ(pool.error()->cause, Cause::kUnreachable);
  EXPECT_NE(pool.error()->message.find("fanmill broker --listen " + endpoint_), std::string::npos)
      << pool.error()->message;
  Pool nonsense({.broker = "carrier-pigeon"});
  ASSERT_NE(nonsense.error(), nullptr);
  EXPECT_EQ(nonsense.error()->cause, Cause::kRefused);
}

}  // namespace
