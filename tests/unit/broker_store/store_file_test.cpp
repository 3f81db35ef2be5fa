// What is no store, or a damaged one, is refused in words, and left as it was.
#include <sqlite3.h>

#include <fstream>
#include <iterator>

#include "tests/unit/broker_store/store_fixture.hpp"

namespace fanmill::broker {
namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

class BadStore : public StoreTest {
 protected:
  // A store with two jobs, closed in good order.
  std::string make_good() {
    auto store = opened();
    EXPECT_TRUE(store);
    (*store)->write(writes(put_job(), put_chunk(0, 3, std::string(30000, 'a')),
                           put_record(1, 0, 3, std::string(30000, 'b'))));
    EXPECT_TRUE(wait_durable(**store, 3));
    return path();
  }

  Error refusal() {
    const std::string before = bytes_of(path());
    auto store = opened();
    EXPECT_FALSE(store);
    EXPECT_TRUE(bytes_of(path()) == before) << "the file was changed";
    return store ? Error{} : store.error();
  }

  void expect_refused(ErrorCode code, const std::string& part) {
    const Error error = refusal();
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
    EXPECT_NE(error.message.find(path()), std::string::npos) << error.message;
  }

  void sql(const std::string& statement) {
    sqlite3* file = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &file), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(file, statement.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(file);
    sqlite3_close(file);
  }
};

TEST_F(BadStore, AFileOfSomethingElse) {
  write_file(path(), "{\"not\": \"a store\"}\n");
  expect_refused(ErrorCode::kMalformedInput, "no store");
}

TEST_F(BadStore, ADirectory) {
  std::filesystem::create_directory(path());
  const auto store = opened();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUsage);
}

TEST_F(BadStore, TheDatabaseOfAnotherProgram) {
  sql("CREATE TABLE song (title TEXT)");
  expect_refused(ErrorCode::kMalformedInput, "no store of a broker");
}

TEST_F(BadStore, OneOfALaterSchema) {
  make_good();
  sql("PRAGMA user_version = 99");
  expect_refused(ErrorCode::kMalformedInput, "schema 99");
}

TEST_F(BadStore, ATruncatedOne) {
  make_good();
  const std::string whole = bytes_of(path());
  for (const std::size_t left : {whole.size() / 2, whole.size() - 1, std::size_t{50}}) {
    write_file(path(), whole.substr(0, left));
    const Error error = refusal();
    EXPECT_EQ(error.code, ErrorCode::kMalformedInput) << left << ": " << error.message;
  }
}

TEST_F(BadStore, OneWhoseMakerDiedBeforeItsFirstTableIsNoBadOne) {
  sql("PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL");
  ASSERT_GT(bytes_of(path()).size(), 0U);
  make_good();
  EXPECT_TRUE(opened());
}

TEST_F(BadStore, OneOfVeryManyLivesHasEpochsLeft) {
  make_good();
  sql("INSERT INTO life (epoch) VALUES (4294967290)");
  auto store = opened();
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->take_recovered().life.epoch, 4294967291U);
}

TEST_F(BadStore, ADirectoryThatIsNotThere) {
  SqliteStoreOptions options;
  options.path = directory_ + "/missing/store.db";
  const auto store = opened(options);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kSystem);
}

TEST_F(BadStore, AHeadWithAFlippedBit) {
  make_good();
  sql("UPDATE record SET head = zeroblob(40)");
  expect_refused(ErrorCode::kMalformedInput, "record 1 of job 5-7");
}

TEST_F(BadStore, AChunkThatIsMissing) {
  make_good();
  sql("DELETE FROM chunk; DELETE FROM record");
  expect_refused(ErrorCode::kMalformedInput, "tuples 0 to 2 of job 5-7");
}

TEST_F(BadStore, ABlobWithAFlippedBitEndsTheBrokerInsteadOfBeingSent) {
  make_good();
  std::string bytes = bytes_of(path());
  const std::size_t inside = bytes.find(std::string(100, 'b'));
  ASSERT_NE(inside, std::string::npos);
  bytes[inside + 50] = 'c';
  write_file(path(), bytes);
  auto store = opened();
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->read(ChunkBytes{kJob, TaskIndex{0}, 0, 10})->view(), std::string(10, 'a'));
  EXPECT_FALSE((*store)->failure());
  EXPECT_FALSE((*store)->read(RecordBytes{kJob, RecordId{1}}));
  ASSERT_TRUE((*store)->failure());
  EXPECT_NE((*store)->failure()->message.find("record 1 of job 5-7"), std::string::npos);
}

}  // namespace
}  // namespace fanmill::broker
