// What travels: C++ values to msgpack and back, and what a wrong type is told as.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <fanmill/fanmill.hpp>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace {

struct Point {
  double x = 0;
  double y = 0;
  std::optional<std::string> label;
  friend bool operator==(const Point&, const Point&) = default;
};
FANMILL_FIELDS(Point, x, y, label);
struct Path {
  std::string name;
  std::vector<Point> points;
  friend bool operator==(const Path&, const Path&) = default;
};
FANMILL_FIELDS(Path, name, points);

template <class T>
std::string packed(const T& value) {
  std::string out;
  fanmill::pack::element(out, value);
  return out;
}
template <class T>
std::string packed_tuple(const T& value) {
  std::string out;
  fanmill::pack::tuple(out, value);
  return out;
}
std::string packed(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out += static_cast<char>(byte);
  return out;
}
template <class T>
std::optional<T> read(const std::string& bytes) {
  fanmill::client::Cursor cursor(bytes);
  T value{};
  if (!fanmill::client::read(cursor, value) || cursor.left() != 0) return {};
  return value;
}
template <class T>
void comes_back(const T& value) {
  const auto back = read<T>(packed(value));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, value);
}

TEST(LibraryTypes, EveryKindOfValueComesBack) {
  comes_back(true);
  comes_back(std::string("ü"));
  comes_back(std::string(70000, 'x'));
  comes_back(fanmill::Bytes{std::string(300, '\0')});
  comes_back(0.1);
  comes_back(1.5F);
  comes_back(std::vector<std::string>{"a", "b"});
  comes_back(std::vector<bool>{true, false});
  comes_back(std::deque<int>(40, 7));
  comes_back(std::set<int>{3, 4});
  comes_back(std::array<int, 3>{1, 2, 3});
  comes_back(std::tuple(1, std::string("x"), std::optional<double>()));
  comes_back(std::pair(true, std::optional<int>(4)));
  comes_back(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  comes_back(std::unordered_map<int, std::string>{{1, "x"}});
  comes_back(fanmill::Value(fanmill::Array{1, "x", fanmill::Map{{"k", nullptr}}}));
  comes_back(Path{"p", {{1, 2, "a"}, {3, 4, {}}}});
}

TEST(LibraryTypes, IntegersOfEveryLengthComeBackAtTheirEdges) {
  for (const std::int64_t edge :
       {0, 127, 128, 255, 256, 65535, 65536, -1, -32, -33, -128, -129, -32768, -32769}) {
    comes_back(edge);
  }
  comes_back(std::int64_t{4294967295});
  comes_back(std::int64_t{4294967296});
  comes_back(std::numeric_limits<std::int64_t>::min());
  comes_back(std::numeric_limits<std::int64_t>::max());
  comes_back(std::numeric_limits<std::uint64_t>::max());
}

TEST(LibraryTypes, AnIntegerThatDoesNotFitIsRefused) {
  EXPECT_FALSE(read<std::int8_t>(packed(128)));
  EXPECT_FALSE(read<std::uint32_t>(packed(-1)));
  EXPECT_FALSE(read<std::int64_t>(packed(std::numeric_limits<std::uint64_t>::max())));
  EXPECT_FALSE(read<int>(packed(1.0)));
  EXPECT_EQ(read<double>(packed(-7)), -7.0);
}

TEST(LibraryTypes, OtherTypesAreRefused) {
  EXPECT_FALSE(read<bool>(packed(1)));
  EXPECT_FALSE(read<std::string>(packed(1)));
  EXPECT_FALSE(read<double>(packed("1")));
  EXPECT_FALSE((read<std::pair<int, int>>(packed(std::vector{1, 2, 3}))));
  EXPECT_FALSE(read<std::vector<int>>(packed(std::vector<std::string>{"x"})));
  EXPECT_TRUE(read<std::optional<int>>(packed(nullptr)).has_value());
  EXPECT_FALSE(read<int>(packed(nullptr)));
}

TEST(LibraryTypes, BytesThatEndEarlyOrClaimTooMuchAreRefused) {
  const std::string whole = packed(Path{"p", {{1, 2, "a"}}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(read<Path>(whole.substr(0, size))) << size;
  }
  EXPECT_FALSE(read<std::vector<int>>(packed({0xdd, 0x7f, 0xff, 0xff, 0xff})));
  EXPECT_FALSE(read<std::string>(packed({0xdb, 0x7f, 0xff, 0xff, 0xff})));
  EXPECT_FALSE((read<std::map<int, int>>(packed({0xdf, 0x7f, 0xff, 0xff, 0xff}))));
}

TEST(LibraryTypes, FieldsAreReadByNameOrByPosition) {
  const fanmill::Map by_name{{"y", 2.0}, {"unknown", fanmill::Array{1, 2}}, {"x", 1}};
  EXPECT_EQ(read<Point>(packed(fanmill::Value(by_name))), (Point{1, 2, {}}));
  EXPECT_EQ(read<Point>(packed(std::tuple(1, 2, "a"))), (Point{1, 2, "a"}));
  EXPECT_FALSE(read<Point>(packed(fanmill::Value(fanmill::Map{{"x", 1}}))));
}

TEST(LibraryTypes, WhatATupleIsMadeOf) {
  EXPECT_EQ(packed_tuple(std::tuple(1, "x")), packed({0x92, 1, 0xa1, 'x'}));
  EXPECT_EQ(packed_tuple(std::vector{1, 2}), packed({0x92, 1, 2}));
  EXPECT_EQ(packed_tuple(7), packed({0x91, 7}));
  EXPECT_EQ(packed_tuple(std::string("x")), packed({0x91, 0xa1, 'x'}));
  EXPECT_EQ(packed_tuple(std::filesystem::path("x")), packed({0x91, 0xa1, 'x'}));
  EXPECT_EQ(packed_tuple(std::map<std::string, int>{{"n", 1}}), packed({0x81, 0xa1, 'n', 1}));
  EXPECT_EQ(packed_tuple(fanmill::Value(fanmill::Array{1, 2})), packed({0x92, 1, 2}));
  EXPECT_EQ(packed_tuple(fanmill::Value(1)), packed({0x91, 1}));
  EXPECT_EQ(packed_tuple(Path{"p", {}}), packed({0x82, 0xa4, 'n', 'a', 'm', 'e', 0xa1, 'p', 0xa6,
                                                 'p', 'o', 'i', 'n', 't', 's', 0x90}));
}

TEST(LibraryTypes, NamesAreThoseOfSignatures) {
  using fanmill::client::type_name;
  EXPECT_EQ(type_name<std::int64_t>(), "int");
  EXPECT_EQ(type_name<std::uint8_t>(), "int from 0 to 255");
  EXPECT_EQ((type_name<std::vector<std::optional<double>>>()), "list[float?]");
  EXPECT_EQ((type_name<std::tuple<bool, std::string>>()), "tuple[bool, str]");
  EXPECT_EQ((type_name<std::map<std::string, fanmill::Bytes>>()), "map[bytes]");
  EXPECT_EQ(type_name<Point>(), "{x: float, y: float, label: str?}");
}

TEST(LibraryResult, ALookAtWhatIsNotThereThrows) {
  fanmill::Result<int> seven(7);
  EXPECT_EQ(*seven, 7);
  EXPECT_THROW(static_cast<void>(seven.error()), fanmill::BadAccess);
  fanmill::Failure failure;
  failure.message = "no luck";
  fanmill::Result<int> none(failure);
  EXPECT_FALSE(none);
  EXPECT_EQ(none.value_or(3), 3);
  EXPECT_EQ(none.error().message, "no luck");
  try {
    none.value();
    FAIL();
  } catch (const fanmill::BadAccess& bad) {
    EXPECT_STREQ(bad.what(), "fanmill: no luck");
  }
}

}  // namespace
