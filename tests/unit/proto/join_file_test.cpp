#include "proto/join_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "proto/curve_keys.hpp"

namespace fanmill {
namespace {

using ::testing::HasSubstr;

class JoinFiles : public testing::Test {
 protected:
  JoinFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "fanmill-join-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    file_.role = "worker";
    file_.address.endpoint = "tcp://mill.example:7070";
    file_.address.server_key = make_curve_keys().public_key;
    file_.address.keys = make_curve_keys();
  }
  ~JoinFiles() override { std::filesystem::remove_all(directory_); }
  std::string path() const { return (directory_ / "worker.join").string(); }
  void write_text(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path(), std::ios::binary) << text;
    ::chmod(path().c_str(), mode);
  }
  std::string refusal(std::string_view role = "worker") const {
    const auto read = read_join_file(path(), role);
    EXPECT_FALSE(read);
    return read ? "" : read.error().message;
  }

  std::filesystem::path directory_;
  JoinFile file_;
};

TEST_F(JoinFiles, AreReadAsTheyWereWritten) {
  ASSERT_TRUE(write_join_file(path(), file_));
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  const auto read = read_join_file(path(), "worker");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, file_);
}

TEST_F(JoinFiles, AreRefusedWhereOthersMayReadThem) {
  for (const mode_t mode : {0640U, 0604U, 0620U}) {
    write_text(to_text(file_), mode);
    EXPECT_THAT(refusal(), HasSubstr("chmod 600 " + path()));
  }
}

TEST_F(JoinFiles, AreRefusedInTheOtherRole) {
  ASSERT_TRUE(write_join_file(path(), file_));
  EXPECT_THAT(refusal("producer"), HasSubstr("is for a worker, not for a producer"));
}

TEST_F(JoinFiles, NameWhatIsWrongInThem) {
  const std::string good = to_text(file_);
  write_text("{}\n");
  EXPECT_THAT(refusal(), HasSubstr("does not begin with"));
  write_text(good + "color blue\n");
  EXPECT_THAT(refusal(), HasSubstr("line 7: not a field"));
  write_text(good + "role worker\n");
  EXPECT_THAT(refusal(), HasSubstr("line 7: role stands there twice"));
  write_text(good.substr(0, good.rfind("secret-key")));
  EXPECT_THAT(refusal(), HasSubstr("secret-key is missing"));
  JoinFile mixed = file_;
  mixed.address.keys.public_key = make_curve_keys().public_key;
  write_text(to_text(mixed));
  EXPECT_THAT(refusal(), HasSubstr("no pair"));
  mixed = file_;
  mixed.address.server_key = "short";
  write_text(to_text(mixed));
  EXPECT_THAT(refusal(), HasSubstr("broker-key is no key"));
  write_text(good + std::string(5000, '#'));
  EXPECT_THAT(refusal(), HasSubstr("longer than 4096 bytes"));
}

TEST_F(JoinFiles, NeverShowASecret) {
  std::string text = to_text(file_);
  text.replace(text.find("secret-key "), 11, "secret-kye ");
  write_text(text);
  EXPECT_EQ(refusal().find(file_.address.keys.secret_key), std::string::npos);
}

TEST_F(JoinFiles, SayThatTheyAreNotThere) {
  const auto read = read_join_file(path(), "worker");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
  std::filesystem::create_directory(path());
  EXPECT_THAT(refusal(), HasSubstr("no regular file"));
}

TEST(CurveKeysText, AreFortyCharactersOfZ85) {
  const CurveKeys keys = make_curve_keys();
  EXPECT_TRUE(is_curve_key(keys.public_key));
  EXPECT_FALSE(is_curve_key(keys.public_key.substr(1)));
  EXPECT_FALSE(is_curve_key(keys.public_key + "a"));
  EXPECT_FALSE(is_curve_key(std::string(39, 'a') + '~'));
  EXPECT_EQ(keys_of_secret(keys.secret_key).value(), keys);
  EXPECT_FALSE(keys_of_secret("no key"));
}

}  // namespace
}  // namespace fanmill
