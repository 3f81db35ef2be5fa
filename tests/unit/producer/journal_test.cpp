// Runs over inputs that are edited between them, ended at any moment: the output is always that of
// the whole input, and nothing that was recorded runs again.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <random>

#include "producer/journal/journaled_job.hpp"
#include "producer/row_batch.hpp"
#include "proto/result_batch.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

std::string packed(std::int64_t number) {
  std::string bytes;
  append_msgpack(bytes, Value(number));
  return bytes;
}

int number_in(std::string_view bytes) {
  std::size_t at = 0;
  const auto value = decode_msgpack(bytes, at);
  EXPECT_TRUE(value);
  return static_cast<int>(*value->as<std::int64_t>());
}

class Numbers final : public TupleSource {
 public:
  explicit Numbers(std::vector<int> numbers) : numbers_(std::move(numbers)) {}
  Result<Supply> fill(ChunkBuilder& chunk, std::uint64_t tuples_max) override {
    for (std::uint64_t i = 0; i < tuples_max && at_ < numbers_.size(); ++i) {
      chunk.bytes() += packed(numbers_[at_++]);
      chunk.tuple_done();
    }
    return at_ == numbers_.size() ? Supply::kEnd : Supply::kMore;
  }

 private:
  const std::vector<int> numbers_;
  std::size_t at_ = 0;
};

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    std::string name = testing::TempDir() + "fanmill-journal-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~JournalTest() override { std::filesystem::remove_all(directory_); }
  JournalFile open() {
    auto file = JournalFile::open(directory_ + "/run.db", JournalLevel::kOs);
    EXPECT_TRUE(file) << file.error().message;
    return std::move(*file);
  }
  std::string directory_;
};

// One row of a job: the value is the tuple, negated.
RowsArrived row_of(std::uint64_t index, int number, Outcome outcome) {
  RowsArrived arrived;
  Rows& rows = arrived.rows;
  rows.first = rows.batch_first = {index};
  rows.count = rows.batch_count = 1;
  rows.outcome = outcome;
  rows.attempt = 1;
  std::string blob;
  if (outcome == Outcome::kSucceeded) {
    blob = packed(-number);
    rows.values_bytes = blob.size();
  } else {
    ResultColumns columns;
    columns.failures.push_back({ErrorCode::kFunctionFailed, "no", -1, 0, {}});
    append_columns(blob, columns);
  }
  arrived.blob = Blob::from(std::move(blob));
  return arrived;
}

// A run in miniature: a job that completes its tasks in any order, some of them in failure.
class MiniatureRun {
 public:
  MiniatureRun(JournalFile file, const std::vector<int>& input, bool in_order, std::mt19937& random)
      : job_(std::move(file), in_order, 0),
        source_(job_.wrap(std::make_unique<Numbers>(input))),
        random_(random) {}

  // Goes on for so many steps; false: everything is done.
  bool steps(int count, double failing) {
    for (int i = 0; i < count; ++i) {
      if (!ended_ && random_() % 3 == 0) {
        feed();
      } else if (!open_.empty()) {
        const std::size_t at = random_() % open_.size();
        const auto [index, number] = open_[at];
        open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
        const bool fails = std::uniform_real_distribution<>(0, 1)(random_) < failing;
        const Outcome outcome = fails ? Outcome::kFailed : Outcome::kSucceeded;
        EXPECT_TRUE(job_.take(row_of(index, number, outcome)));
        ++(fails ? failed : succeeded);
      } else if (ended_) {
        write();
        return false;
      }
      write();
      if (random_() % 5 == 0) {
        EXPECT_TRUE(job_.file().commit());
        committed = succeeded;
      }
    }
    return true;
  }

  JournaledJob& job() { return job_; }
  std::map<std::uint64_t, std::optional<int>> output;  // by index of the input
  std::vector<std::uint64_t> order;
  int ran = 0;
  int succeeded = 0;
  int failed = 0;
  int committed = 0;  // of those that succeeded

 private:
  void feed() {
    ChunkBuilder builder;
    const auto supply = source_->fill(builder, 1 + random_() % 4);
    ASSERT_TRUE(supply) << supply.error().message;
    ended_ = *supply == Supply::kEnd;
    if (builder.empty()) return;
    const auto chunk = builder.take();
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < chunk.tuples; ++i) {
      const std::size_t from = at;
      ASSERT_TRUE(skip_msgpack(chunk.bytes, at, 1));
      open_.emplace_back(static_cast<std::uint64_t>(ran++),
                         number_in(std::string_view(chunk.bytes).substr(from, at - from)));
    }
  }
  void write() {
    for (;;) {
      const auto rows = job_.next();
      ASSERT_TRUE(rows) << rows.error().message;
      if (!*rows) return;
      auto batch = RowBatch::make((*rows)->rows, (*rows)->blob.view());
      ASSERT_TRUE(batch) << batch.error().message;
      Row row;
      for (auto more = batch->next(row); more && *more; more = batch->next(row)) {
        std::optional<int> value;
        if (!row.value.empty()) value = number_in(row.value);
        EXPECT_TRUE(output.emplace(row.index.value, value).second) << "twice: " << row.index.value;
        order.push_back(row.index.value);
      }
    }
  }

  JournaledJob job_;
  std::unique_ptr<TupleSource> source_;
  std::mt19937& random_;
  std::vector<std::pair<std::uint64_t, int>> open_;
  bool ended_ = false;
};

std::vector<int> edited(std::vector<int> input, std::mt19937& random) {
  const auto anywhere = [&] {
    return input.begin() + static_cast<std::ptrdiff_t>(random() % (input.size() + 1));
  };
  switch (random() % 5) {
    case 0:
      break;  // as it was
    case 1:
      for (int i = 0; i < 5; ++i) input.push_back(static_cast<int>(random() % 30));
      break;
    case 2:
      std::shuffle(input.begin(), input.end(), random);
      break;
    case 3:
      if (!input.empty())
        input.erase(input.begin() + static_cast<std::ptrdiff_t>(random() % input.size()));
      break;
    default:
      input.insert(anywhere(), static_cast<int>(random() % 30));
  }
  return input;
}

TEST_F(JournalTest, GivesTheWholeOutputHoweverRunsEndAndInputsChange) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::filesystem::remove_all(directory_ + "/run.db");
    std::vector<int> input;
    for (int i = 0; i < 40; ++i) input.push_back(static_cast<int>(random() % 30));  // some alike
    for (int life = 0; life < 8; ++life) {
      input = edited(std::move(input), random);
      const bool in_order = random() % 3 != 0;
      JournalFile file = open();
      Numbers once(input);
      const auto plan = plan_resume(file, once, {});
      ASSERT_TRUE(plan) << plan.error().message;
      ASSERT_TRUE(file.drop_failures());
      MiniatureRun run(std::move(file), input, in_order, random);
      const bool to_its_end = life == 7 || random() % 3 == 0;
      const double failing = life == 7 ? 0 : 0.2;
      while (run.steps(to_its_end ? 1000 : static_cast<int>(random() % 120), failing) &&
             to_its_end) {
      }
      if (in_order) {
        EXPECT_TRUE(std::is_sorted(run.order.begin(), run.order.end()));
      }
      for (const auto& [index, value] : run.output) {
        ASSERT_LT(index, input.size());
        EXPECT_EQ(value.value_or(-input[index]), -input[index]) << index;
      }
      if (!to_its_end) continue;
      EXPECT_EQ(run.output.size(), input.size());
      // What the plan said is what ran.
      EXPECT_EQ(plan->tuples, input.size());
      EXPECT_EQ(plan->done, run.job().reused());
      EXPECT_EQ(static_cast<std::uint64_t>(run.ran), plan->tuples - plan->done);
      ASSERT_TRUE(run.job().file().commit());
      EXPECT_TRUE(run.job().file().verify());
    }
  }
}

TEST_F(JournalTest, KeepsWhatWasCommittedAndNothingElse) {
  std::mt19937 random(1);
  const std::vector<int> input{1, 2, 3, 4, 5, 6, 7, 8};
  int committed = 0;
  {
    MiniatureRun run(open(), input, true, random);
    run.steps(12, 0);
    committed = run.committed;
    ASSERT_LT(committed, run.succeeded);
  }
  JournalFile file = open();
  Numbers again(input);
  const auto plan = plan_resume(file, again, {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->done, static_cast<std::uint64_t>(committed));
}

TEST_F(JournalTest, SaysHowTasksEndedBefore) {
  JournalFile file = open();
  const std::vector<int> input{1, 2, 3, 4, 5};
  const Outcome outcomes[] = {Outcome::kSucceeded, Outcome::kFailed, Outcome::kCancelled,
                              Outcome::kCrashed};
  for (const int number : {1, 2, 3, 4}) {
    const std::uint64_t position = file.add(hash_of(packed(number)));
    const RowsArrived row = row_of(position, number, outcomes[position]);
    ASSERT_TRUE(file.put(row.rows, row.blob.view()));
  }
  Numbers source(input);
  const auto plan = plan_resume(file, source, {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->done, 1U);
  EXPECT_EQ(plan->failed, 2U);
  EXPECT_EQ(plan->unfinished, 1U);
  EXPECT_EQ(plan->fresh, 1U);
}

TEST_F(JournalTest, TellsEqualTuplesApart) {
  JournalFile file = open();
  for (const char* tuple : {"a", "b", "a", "c"}) file.add(hash_of(tuple));
  ASSERT_TRUE(file.commit());
  TupleMatch match(file);
  EXPECT_EQ(match.find(hash_of("a")).value(), 0U);
  EXPECT_EQ(match.find(hash_of("a")).value(), 2U);
  EXPECT_EQ(match.find(hash_of("a")).value(), std::nullopt);
  EXPECT_EQ(match.find(hash_of("c")).value(), 3U);
  EXPECT_EQ(match.find(hash_of("b")).value(), 1U);
  EXPECT_EQ(match.left(), 0U);
}

TEST_F(JournalTest, NamesALayoutByItsRuns) {
  Layout layout;
  for (const std::uint64_t position : {5, 6, 7, 0, 1, 9}) layout.add(position);
  EXPECT_EQ(layout.text(6), "5+3 0+2 9+1 ");
  EXPECT_EQ(layout.text(4), "5+3 0+1 ");
  EXPECT_EQ(Layout::first_position(layout.text(4)), 5U);
  for (std::uint64_t i = 0; i < 2 * Layout::kRunsKept; ++i) layout.add(100 + 2 * i);
  EXPECT_TRUE(layout.text(layout.rows()).empty());
  layout.drop_front();
  EXPECT_TRUE(layout.text(1).empty());
}

TEST_F(JournalTest, SaysWhetherTheOutputGoesOn) {
  JournalFile file = open();
  for (const int number : {1, 2, 3}) file.add(hash_of(packed(number)));
  ASSERT_TRUE(file.commit());
  const auto continues = [&](std::vector<int> input, std::uint64_t rows,
                             const std::string& layout) {
    Numbers source(std::move(input));
    const auto plan = plan_resume(file, source, JournalOutput{"out", "", rows, 0, layout});
    return plan && plan->output_continues;
  };
  EXPECT_TRUE(continues({1, 2, 3}, 2, "0+2 "));
  EXPECT_TRUE(continues({1, 2, 9}, 2, "0+2 "));
  EXPECT_FALSE(continues({2, 1, 3}, 2, "0+2 "));
  EXPECT_FALSE(continues({1, 9, 2}, 2, "0+2 "));
  EXPECT_FALSE(continues({1}, 2, "0+2 "));
}

}  // namespace
}  // namespace fanmill::producer
