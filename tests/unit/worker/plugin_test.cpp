// Plugins in real executor processes, fed by hand: what reaches them unchecked is checked there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/worker/pool_harness.hpp"

namespace fanmill::worker {
namespace {

using namespace testing;
using ::testing::EndsWith;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr JobId kJob{7};

std::string plugin(const std::string& name) {
  const std::string beside = executor_path();
  return beside.substr(0, beside.rfind("/bin/")) + "/tests/plugins/" + name + ".so";
}

Failure failure_of(const std::string& library, const std::string& function, const Value& tuple,
                   std::vector<std::string> names = {}) {
  PoolHarness harness(1, false, {plugin(library)});
  JobSpec spec;
  spec.function = function;
  spec.names = std::move(names);
  harness.bind(kJob, spec);
  harness.deal(kJob, {tuple});
  EXPECT_TRUE(harness.run_until_ended(1));
  EXPECT_THAT(harness.ended, SizeIs(1));
  EXPECT_EQ(harness.ended.at(0).outcome, Outcome::kFailed);
  return harness.ended.at(0).failure;
}

struct Misfit {
  std::string function;
  Value tuple;
  std::string message;
};

TEST(PluginArguments, ThatDoNotFitAreNamedWithWhatIsExpectedAndWhatWasFound) {
  const std::vector<Misfit> misfits = {
      {"same_i8", Array{128}, "value should be an int from -128 to 127, not 128"},
      {"same_i8", Array{-129}, "value should be an int from -128 to 127, not -129"},
      {"same_u16", Array{65536}, "value should be an int from 0 to 65535, not 65536"},
      {"same_u16", Array{-1}, "value should be an int from 0 to 65535, not -1"},
      {"same_u64", Array{-1}, "value should be an int from 0 to 18446744073709551615, not -1"},
      {"same_int", Array{3.5}, "value should be an int, not 3.5"},
      {"same_float", Array{1e300}, "value should be a float, not 1e+300"},
      {"same_double", Array{"abc"}, "value should be a float, not \"abc\""},
      {"same_bool", Array{1}, "value should be a bool, not 1"},
      {"same_text", Array{Value(Array{1, 2})}, "value should be a str, not [1,2]"},
      {"same_text", Array{Value()}, "value should be a str, not null"},
      {"same_optional", Array{1}, "value should be a str?, not 1"},
      {"same_list", Array{Value(Array{1, "b", 3})},
       "value should be a list[int], not [1,\"b\",3]: where \"b\" is, it should be an int"},
      {"same_map", Array{Value(Map{{"a", Array{true}}})},
       "value should be a map[list[float]], not {\"a\":[true]}: where true is, it should be a "
       "float"},
      {"same_tuple", Array{Value(Array{1, "b"})},
       "value should be a tuple[int, str, bool], not [1,\"b\"]"},
      {"same_int", Array{1, 2}, "the tuple has 2 elements (it takes (value: int) -> int)"},
      {"same_int", Array{}, "the tuple has 0 elements (it takes (value: int) -> int)"},
      {"same_int", Map{{"v", 1}}, "there is no parameter v (it takes (value: int) -> int)"},
      {"scaled", Map{{"by", 1}},
       "the parameter x is missing (it takes (x: float, by: float = 2) -> float)"},
  };
  for (const Misfit& misfit : misfits) {
    const Failure failure = failure_of("types", misfit.function, misfit.tuple);
    EXPECT_EQ(failure.message, misfit.function + ": " + misfit.message);
    EXPECT_EQ(failure.code, ErrorCode::kBadArguments);
  }
}

TEST(PluginArguments, ThatAreLongAreCutInTheMessageBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "ü";
  const Failure failure = failure_of("types", "same_int", Array{text});
  EXPECT_LT(failure.message.size(), 120u);
  EXPECT_THAT(failure.message, EndsWith("ü…"));
}

TEST(PluginArguments, OfAPluginInCAreCheckedByTheExecutor) {
  const Failure failure = failure_of("plain", "answer", Array{"x"});
  EXPECT_EQ(failure.message, "answer: x should be a float, not \"x\"");
  EXPECT_EQ(failure.code, ErrorCode::kBadArguments);
}

TEST(PluginColumns, ThatAreNoParametersFailEveryTask) {
  const Failure failure = failure_of("types", "scaled", Array{1, 2}, {"x", "bye"});
  EXPECT_THAT(failure.message, StartsWith("scaled: there is no parameter `bye`"));
  EXPECT_EQ(failure.code, ErrorCode::kBadArguments);
}

TEST(PluginExceptions, AreFailuresOfTheFunction) {
  const Failure failure = failure_of("state", "broken", Array{});
  EXPECT_EQ(failure.message, "no model at /nowhere");
  EXPECT_EQ(failure.code, ErrorCode::kFunctionFailed);
}

TEST(PluginContext, TellsARunningFunctionThatItsJobIsStopped) {
  PoolHarness harness(1, false, {plugin("state")});
  harness.bind(kJob, "until_cancelled");
  harness.deal(kJob, {Array{}});
  ASSERT_TRUE(harness.run_until([&] {
    std::vector<Event> events;
    harness.pool.progress(events);
    return !events.empty() && std::get<ExecutorProgress>(events[0]).started == 1;
  }));
  harness.pool.tell_stopped({0, JobId{8}});
  EXPECT_TRUE(harness.ended.empty());
  harness.pool.tell_stopped({0, kJob});
  ASSERT_TRUE(harness.run_until_ended(1));
  EXPECT_EQ(harness.ended[0].value, Value("was cancelled"));
}

}  // namespace
}  // namespace fanmill::worker
