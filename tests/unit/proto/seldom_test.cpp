#include "proto/seldom.hpp"

#include <gtest/gtest.h>

namespace fanmill {
namespace {

using namespace std::chrono_literals;

TEST(Seldom, TellsOncePerMinuteAndKey) {
  Seldom seldom;
  const MonoTime start{};
  EXPECT_TRUE(seldom.may_tell("10.0.0.1", start));
  EXPECT_TRUE(seldom.may_tell("10.0.0.2", start));
  EXPECT_FALSE(seldom.may_tell("10.0.0.1", start + 59999ms));
  EXPECT_TRUE(seldom.may_tell("10.0.0.1", start + 1min));
  EXPECT_FALSE(seldom.may_tell("10.0.0.1", start + 1min + 1s));
}

TEST(Seldom, KeepsABoundedNumberOfKeys) {
  Seldom seldom;
  const MonoTime start{};
  for (std::size_t i = 0; i < Seldom::kKeysMax; ++i) {
    EXPECT_TRUE(seldom.may_tell(std::to_string(i), start));
  }
  EXPECT_FALSE(seldom.may_tell("one more", start + 59s));
  EXPECT_TRUE(seldom.may_tell("one more", start + 1min));
}

}  // namespace
}  // namespace fanmill
