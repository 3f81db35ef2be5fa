// Rows as text, over blobs as workers make them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "producer/failure_report.hpp"
#include "producer/writers.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

using ::testing::HasSubstr;

struct Batch {
  Rows rows;
  std::string blob;
};

Batch batch(const std::vector<Value>& values, ResultColumns columns = {},
            const std::vector<Value>& tuples = {}) {
  Batch out;
  out.rows.batch_count = out.rows.count = values.size();
  out.rows.attempt = 1;
  out.rows.worker = "w@h";
  for (const Value& value : values) append_msgpack(out.blob, value);
  out.rows.values_bytes = out.blob.size();
  append_columns(out.blob, columns);
  const std::size_t before = out.blob.size();
  for (const Value& tuple : tuples) append_msgpack(out.blob, tuple);
  out.rows.tuples_bytes = out.blob.size() - before;
  return out;
}

Batch failed(Outcome outcome, Failure failure, const Value& tuple, std::string err = {}) {
  ResultColumns columns;
  columns.start_unix_us = 1'000'000;
  columns.failures = {std::move(failure)};
  if (!err.empty()) columns.outputs = {{.offset = 0, .out = "", .err = std::move(err)}};
  Batch out = batch({}, columns, {tuple});
  out.rows.batch_count = out.rows.count = 1;
  out.rows.outcome = outcome;
  return out;
}

struct Text {
  std::string out;
  std::string err;
};

Text written(RowWriter& writer, const Batch& b) {
  Text text;
  auto rows = RowBatch::make(b.rows, b.blob);
  EXPECT_TRUE(rows) << rows.error().message;
  const auto ok = writer.append(text.out, text.err, *rows);
  EXPECT_TRUE(ok);
  return text;
}

Text written(const WriterOptions& options, const Batch& b) {
  return written(*make_writer(options), b);
}

TEST(ValuesWriter, PrintsAJsonValueALineAndNothingForNull) {
  EXPECT_EQ(written(WriterOptions{}, batch({1, "a\"b", nullptr, Array{1, 2.5}, true})).out,
            "1\n\"a\\\"b\"\n[1,2.5]\ntrue\n");
}

TEST(ValuesWriter, PrintsWhatFunctionsPrintedBeforeTheirValue) {
  ResultColumns columns;
  columns.outputs = {{.offset = 1, .out = "hello\n", .err = "warning\n"}};
  const Text text = written(WriterOptions{}, batch({1, 2, 3}, columns));
  EXPECT_EQ(text.out, "1\nhello\n2\n3\n");
  EXPECT_EQ(text.err, "warning\n");
}

TEST(ValuesWriter, RawPrintsStringsBare) {
  EXPECT_EQ(written({.raw = true}, batch({"a b", 1, Array{"x"}})).out, "a b\n1\n[\"x\"]\n");
}

TEST(ValuesWriter, OfCommandsPrintsStdoutByteForByte) {
  const std::string bytes("\x00\xff\n", 3);
  EXPECT_EQ(written({.command = true}, batch({"no end", Bytes{bytes}, ""})).out, "no end" + bytes);
}

TEST(ValuesWriter, PrintsNothingForAFailedTask) {
  const Text text =
      written(WriterOptions{}, failed(Outcome::kFailed, {.message = "no"}, Array{1}, "why\n"));
  EXPECT_EQ(text.out, "");
  EXPECT_EQ(text.err, "") << "its stderr is told with the failure";
}

TEST(ValuesWriter, PrintsTheSliceOfABatchAlone) {
  Batch b = batch({10, 11, 12, 13});
  b.rows.batch_first = {100};
  b.rows.first = {101};
  b.rows.count = 2;
  EXPECT_EQ(written(WriterOptions{}, b).out, "11\n12\n");
}

TEST(JsonLinesWriter, HasARowForEveryTask) {
  ResultColumns columns;
  columns.start_unix_us = 1'700'000'000'123'456;
  columns.run_ns = {1'500'000'000, 2'000};
  columns.outputs = {{.offset = 1, .out = "o", .err = "e"}};
  Batch b = batch({5, nullptr}, columns, {Array{1, "x"}, Array{2, "y"}});
  b.rows.batch_first = b.rows.first = {7};
  EXPECT_EQ(written({.format = OutputFormat::kJsonLines}, b).out,
            "{\"index\":7,\"params\":[1,\"x\"],\"value\":5,\"status\":\"succeeded\",\"cause\":null,"
            "\"error\":null,\"attempt\":1,"
            "\"worker\":\"w@h\",\"start\":\"2023-11-14T22:13:20.123456Z\",\"run_s\":1.500000,"
            "\"exit_code\":null,\"signal\":null,\"stdout\":\"\",\"stderr\":\"\"}\n"
            "{\"index\":8,\"params\":[2,\"y\"],\"value\":null,\"status\":\"succeeded\",\"cause\":"
            "null,\"error\":null,\"attempt\":"
            "1,"
            "\"worker\":\"w@h\",\"start\":\"2023-11-14T22:13:21.623456Z\",\"run_s\":0.000002,"
            "\"exit_code\":null,\"signal\":null,\"stdout\":\"o\",\"stderr\":\"e\"}\n");
}

TEST(JsonLinesWriter, NamesParametersWhereTheInputDoes) {
  EXPECT_THAT(written({.format = OutputFormat::kJsonLines, .names = {"a", "b"}},
                      batch({1}, {}, {Value(Array{1, "x"})}))
                  .out,
              HasSubstr("\"params\":{\"a\":1,\"b\":\"x\"}"));
}

TEST(JsonLinesWriter, TellsHowATaskFailed) {
  const std::string out =
      written(
          {.format = OutputFormat::kJsonLines, .command = true},
          failed(Outcome::kFailed, {.message = "exit code 3", .exit_code = 3}, Array{1}, "tail\n"))
          .out;
  EXPECT_THAT(out,
              HasSubstr("\"status\":\"failed\",\"cause\":\"error\",\"error\":\"exit code 3\""));
  EXPECT_THAT(out, HasSubstr("\"exit_code\":3"));
  EXPECT_THAT(out, HasSubstr("\"stderr\":\"tail\\n\""));
}

TEST(JsonLinesWriter, NamesTheSignalThatEndedATask) {
  const Batch killed = failed(Outcome::kCrashed, {.message = "killed", .signal = 11}, Array{1});
  EXPECT_THAT(written({.format = OutputFormat::kJsonLines}, killed).out,
              HasSubstr("\"exit_code\":null,\"signal\":11,"));
  EXPECT_THAT(written({.format = OutputFormat::kCsv}, killed).out, HasSubstr(",,11,,"));
}

TEST(CsvWriter, NamesColumnsByTheHeaderElseByTheFirstRow) {
  const std::string rest =
      ",value,status,cause,error,attempt,worker,start,run_s,exit_code,signal,stdout,stderr\n";
  EXPECT_THAT(written({.format = OutputFormat::kCsv, .names = {"x", "y"}},
                      batch({1}, {}, {Value(Array{1, 2})}))
                  .out,
              ::testing::StartsWith("index,x,y" + rest + "0,1,2,1,succeeded,,,1,w@h,"));
  EXPECT_THAT(written({.format = OutputFormat::kCsv}, batch({1}, {}, {Value(Array{1, 2})})).out,
              ::testing::StartsWith("index,arg1,arg2" + rest));
  EXPECT_THAT(written({.format = OutputFormat::kCsv}, batch({1}, {}, {Value(Map{{"k", "v"}})})).out,
              ::testing::StartsWith("index,k" + rest + "0,v,1,succeeded"));
}

TEST(CsvWriter, AnOutputWithoutRowsStillHasItsHeader) {
  const auto writer = make_writer({.format = OutputFormat::kCsv, .names = {"x"}});
  std::string out;
  writer->finish(out);
  EXPECT_THAT(out, ::testing::StartsWith("index,x,value,"));
}

TEST(CsvWriter, QuotesByRfc4180) {
  std::string out;
  for (const char* field : {"plain", "a,b", "say \"hi\"", "line\nend", ""}) {
    append_csv_field(out, field);
    out += '|';
  }
  EXPECT_EQ(out, "plain|\"a,b\"|\"say \"\"hi\"\"\"|\"line\nend\"||");
}

TEST(CsvWriter, OfCommandsTheValueIsStdoutWithoutOneLineEnd) {
  EXPECT_THAT(written({.format = OutputFormat::kCsv, .command = true},
                      batch({"42\n"}, {}, {Value(Array{"f"})}))
                  .out,
              HasSubstr("\n0,f,42,succeeded,"));
  EXPECT_THAT(written({.format = OutputFormat::kCsv, .command = true},
                      batch({"1\n\n"}, {}, {Value(Array{"f"})}))
                  .out,
              HasSubstr("\n0,f,\"1\n\",succeeded,"));
}

TEST(CsvWriter, CountsParametersThatHaveNoColumn) {
  const auto writer = make_writer({.format = OutputFormat::kCsv});
  written(*writer, batch({1, 2}, {}, {Array{1}, Array{1, 2}}));
  EXPECT_EQ(writer->parameters_left_out(), 1u);
}

TEST(RowBatch, RefusesABlobThatIsShorterThanItsHeaderSays) {
  Batch b = batch({1, 2});
  b.rows.values_bytes = 100;
  EXPECT_FALSE(RowBatch::make(b.rows, b.blob));
  b = batch({1, 2});
  b.rows.batch_count = b.rows.count = 3;
  auto rows = RowBatch::make(b.rows, b.blob);
  ASSERT_TRUE(rows);
  std::string out;
  std::string err;
  EXPECT_FALSE(make_writer({})->append(out, err, *rows));
}

TEST(FailureText, NamesTaskTupleCauseAttemptAndStderr) {
  std::string tuple;
  append_msgpack(tuple, Array{5, "x"});
  EXPECT_EQ(failure_text({.index = 17,
                          .tuple = tuple,
                          .outcome = Outcome::kCrashed,
                          .message = "killed by signal 11 (Segmentation fault)",
                          .attempt = 1,
                          .limit = 3,
                          .error_tail = "one\ntwo\n",
                          .again = true}),
            "fanmill: task 17 (5,\"x\") crashed: killed by signal 11 (Segmentation fault), attempt "
            "1 of 3; "
            "it runs again\n    one\n    two\n");
}

TEST(FailureText, KeepsTheLastLinesOfALongStderr) {
  std::string err;
  for (int i = 0; i < 100; ++i) err += "line " + std::to_string(i) + "\n";
  const std::string text = failure_text(
      {.index = 1, .tuple = {}, .outcome = Outcome::kFailed, .message = "x", .error_tail = err});
  EXPECT_THAT(text, HasSubstr("    …\n    line 90\n"));
  EXPECT_THAT(text, ::testing::EndsWith("    line 99\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("line 89\n")));
}

}  // namespace
}  // namespace fanmill::producer
