// Which columns --columns chooses, and what stands in them.
#include "producer/row_columns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "producer/writers.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> printed(std::string_view list, const std::vector<std::string>& names) {
  const auto columns = parse_columns(list, names);
  if (!columns) return {columns.error().message};
  std::vector<std::string> out;
  for (const Column& column : *columns) out.push_back(column.name);
  return out;
}

std::string refused(std::string_view list, const std::vector<std::string>& names = {}) {
  const auto columns = parse_columns(list, names);
  if (columns) return "accepted";
  EXPECT_EQ(columns.error().code, ErrorCode::kUsage);
  return columns.error().message;
}

// One row of a job with these parameters and the value 7.
std::string row_of(OutputFormat format, std::string_view list,
                   const std::vector<std::string>& names, const Value& tuple) {
  Rows rows;
  rows.batch_count = rows.count = 1;
  rows.attempt = 1;
  std::string blob;
  append_msgpack(blob, 7);
  rows.values_bytes = blob.size();
  append_msgpack(blob, tuple);
  rows.tuples_bytes = blob.size() - rows.values_bytes;
  auto columns = parse_columns(list, names);
  EXPECT_TRUE(columns) << columns.error().message;
  WriterOptions options;
  options.format = format;
  options.names = names;
  options.columns = *columns;
  auto batch = RowBatch::make(rows, blob);
  EXPECT_TRUE(batch);
  std::string out;
  std::string err;
  EXPECT_TRUE(make_writer(options)->append(out, err, *batch));
  return out;
}

TEST(Columns, AreTheOnesNamedInTheirOrder) {
  EXPECT_THAT(printed("status,index,value", {}), ElementsAre("status", "index", "value"));
  EXPECT_THAT(printed("seed,index,params", {"seed"}), ElementsAre("seed", "index", "params"));
}

TEST(Columns, OfParametersWithoutNamesAreNumberedFromOne) {
  EXPECT_EQ(row_of(OutputFormat::kCsv, "arg2,value,arg1,arg9", {}, Array{"a", "b"}),
            "arg2,value,arg1,arg9\nb,7,a,\n");
  EXPECT_THAT(refused("arg0"), HasSubstr("no column \"arg0\""));
  EXPECT_THAT(refused("arg"), HasSubstr("no column \"arg\""));
  EXPECT_THAT(refused("arg1", {"seed"}), HasSubstr("no column \"arg1\""));
}

TEST(Columns, OfNamedInputPrintOneParameterAsItsOwn) {
  EXPECT_EQ(row_of(OutputFormat::kJsonLines, "seed,value", {"name", "seed"}, Array{"a", 3}),
            "{\"seed\":3,\"value\":7}\n");
  EXPECT_EQ(row_of(OutputFormat::kCsv, "seed,name", {"name", "seed"}, Array{"a,b", 3}),
            "seed,name\n3,\"a,b\"\n");
}

TEST(Columns, OfParametersThatOnlyTheLinesNameHaveAPrefix) {
  EXPECT_EQ(row_of(OutputFormat::kJsonLines, "params.seed,params.gone", {}, Map{{"seed", 3}}),
            "{\"seed\":3,\"gone\":null}\n");
  EXPECT_THAT(refused("seed"), HasSubstr("params.NAME"));
}

TEST(Columns, TellAParameterFromAColumnOfThatName) {
  EXPECT_EQ(row_of(OutputFormat::kJsonLines, "value,params.value", {"value"}, Array{1}),
            "{\"value\":7,\"params.value\":1}\n");
}

TEST(Columns, OfACsvSpreadTheParametersWhereTheyAreAskedFor) {
  EXPECT_EQ(row_of(OutputFormat::kCsv, "value,params,index", {"x", "y"}, Array{1, 2}),
            "value,x,y,index\n7,1,2,0\n");
}

TEST(Columns, ThatAreUnknownAreAnsweredWithTheNearestAndTheList) {
  const std::string text = refused("index,statsu", {"seed"});
  EXPECT_THAT(text, HasSubstr("no column \"statsu\"; did you mean status?"));
  EXPECT_THAT(text, HasSubstr("index, params, value, status, cause, error, attempt, worker, start, "
                              "run_s, exit_code, signal, stdout, stderr"));
  EXPECT_THAT(text, HasSubstr("parameters seed"));
  EXPECT_THAT(refused("sede", {"seed"}), HasSubstr("did you mean seed?"));
  EXPECT_THAT(refused("index,"), HasSubstr("no column \"\""));
  EXPECT_THAT(refused("params.x", {"seed"}), HasSubstr("no column \"params.x\""));
  EXPECT_THAT(refused("params."), HasSubstr("no column \"params.\""));
}

TEST(Columns, AreNamedOnce) {
  EXPECT_THAT(refused("index,value,index"), HasSubstr("\"index\" is there twice"));
  EXPECT_THAT(refused("seed,params.seed", {"seed"}), HasSubstr("twice"));
}

TEST(Columns, NeedTuplesOnlyForParameters) {
  EXPECT_FALSE(show_parameters(*parse_columns("index,value,status", {})));
  EXPECT_TRUE(show_parameters(*parse_columns("index,params", {})));
  EXPECT_TRUE(show_parameters(*parse_columns("arg1", {})));
}

}  // namespace
}  // namespace fanmill::producer
