#include "proto/nearest.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace fanmill {
namespace {

std::string nearest(std::string_view wanted, const std::vector<std::string>& names) {
  return nearest_name(wanted, names).value_or("nothing");
}

TEST(NearestName, IsTheOneWithFewestChanges) {
  EXPECT_EQ(nearest("secnods", {"second", "seconds", "message"}), "seconds");
  EXPECT_EQ(nearest("mesage", {"seconds", "message"}), "message");
  EXPECT_EQ(nearest("colour_of_the_sky", {"color_of_sky", "sky"}), "color_of_sky");
}

TEST(NearestName, IsNoneWhereNoneIsNear) {
  EXPECT_EQ(nearest("seconds", {"message", "x"}), "nothing");
  EXPECT_EQ(nearest("a", {"b"}), "nothing");
  EXPECT_EQ(nearest("ab", {"xy"}), "nothing");
  EXPECT_EQ(nearest("a", {}), "nothing");
  EXPECT_EQ(nearest("", {"a"}), "nothing");
}

}  // namespace
}  // namespace fanmill
