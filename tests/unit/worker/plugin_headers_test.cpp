// The plugin headers by themselves: bytes that end anywhere, and names out of a lambda's text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <random>

#include "fanmill/plugin/text.hpp"
#include "fanmill/plugin/types.hpp"

namespace fanmill::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <class T>
std::string packed(const T& value) {
  std::string out;
  Packer packer(out);
  Codec<T>::write(packer, value);
  return out;
}

template <class T>
void comes_back(const T& value) {
  const std::string bytes = packed(value);
  Cursor cursor(bytes);
  T read_back{};
  Misfit misfit;
  ASSERT_TRUE(read(cursor, read_back, misfit));
  EXPECT_EQ(read_back, value);
  EXPECT_EQ(cursor.left(), 0u);
  // Nothing shorter is a value, and no byte behind the end is looked at (a buffer of just its
  // size).
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto exact = std::make_unique<char[]>(size);
    std::copy_n(bytes.data(), size, exact.get());
    Cursor cut({exact.get(), size});
    T other{};
    Misfit at;
    EXPECT_FALSE(read(cut, other, at)) << size;
    cut = Cursor({exact.get(), size});
    EXPECT_FALSE(cut.skip()) << size;
  }
}

TEST(PluginValues, ComeBackAtTheEdgesOfEveryHead) {
  for (const std::int64_t number :
       {0L, 1L, 127L, 128L, 255L, 256L, 65535L, 65536L, 4294967295L, 4294967296L, -1L, -32L, -33L,
        -128L, -129L, -32768L, -32769L, -2147483648L, -2147483649L}) {
    comes_back(number);
  }
  comes_back(std::numeric_limits<std::int64_t>::min());
  comes_back(std::numeric_limits<std::uint64_t>::max());
  comes_back(0.1);
  comes_back(0.5f);
  for (const std::size_t size : {0, 31, 32, 255, 256}) comes_back(std::string(size, 'a'));
  for (const std::size_t size : {0, 15, 16}) comes_back(std::vector<bool>(size, true));
  comes_back(std::vector<std::byte>(300));
  comes_back(std::map<std::string, std::optional<int>>{{"a", 1}, {"b", std::nullopt}});
  comes_back(std::tuple<int, std::string, std::pair<bool, double>>{1, "b", {true, 2.5}});
}

TEST(PluginValues, LargeOnesTakeTheWiderHeads) {
  for (const std::size_t size : {65535, 65536}) {
    const std::string bytes = packed(std::string(size, 'a'));
    EXPECT_EQ(bytes.size(), size + (size < 65536 ? 3 : 5));
    Cursor cursor(bytes);
    EXPECT_TRUE(cursor.skip());
    EXPECT_EQ(cursor.left(), 0u);
  }
  const std::string list = packed(std::vector<int>(70000, 1));
  EXPECT_EQ(list.substr(0, 5), std::string("\xdd\x00\x01\x11\x70", 5));
}

TEST(PluginValues, ThatSayTheyHoldMoreThanThereIsAreRefusedWithoutRoomForIt) {
  const std::string bytes("\xdd\xff\xff\xff\xff\x01", 6);
  Cursor cursor(bytes);
  std::vector<double> list;
  Misfit misfit;
  EXPECT_FALSE(read(cursor, list, misfit));
  EXPECT_EQ(list.capacity(), 0u);
}

TEST(PluginValues, OfRandomBytesAreReadOrRefusedWithinTheirBounds) {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    const std::size_t size = random() % 40;
    const auto exact = std::make_unique<char[]>(size);
    for (std::size_t i = 0; i < size; ++i) exact[i] = static_cast<char>(random());
    const std::string_view bytes(exact.get(), size);
    Cursor cursor(bytes);
    const bool whole = cursor.skip();
    EXPECT_TRUE(!whole || cursor.left() <= size);
    std::map<std::string, std::vector<std::optional<double>>> value;
    Cursor typed(bytes);
    Misfit misfit;
    static_cast<void>(read(typed, value, misfit));
    std::string json;
    Cursor shown_cursor(bytes);
    static_cast<void>(append_json(json, shown_cursor, 60));
  }
}

TEST(PluginParameterNames, AreTheLambdas) {
  EXPECT_THAT(parameter_names("[](double x, const std::string& label) { return f(x, label); }"),
              ElementsAre("x", "label"));
  EXPECT_THAT(parameter_names("[a, b = g(1, 2)](std::map<int, std::pair<int, int>> m, int n) {}"),
              ElementsAre("m", "n"));
  EXPECT_THAT(parameter_names("[] (fanmill::Context& context, T *p = f(1, 2)) {}"),
              ElementsAre("context", "p"));
  EXPECT_THAT(parameter_names("[](int, unsigned long, const Model&, std::string) {}"),
              ElementsAre("", "", "", ""));
  EXPECT_THAT(parameter_names("[]() {}"), IsEmpty());
  EXPECT_THAT(parameter_names("[] { return 1; }"), IsEmpty());
  EXPECT_THAT(parameter_names("&scaled, \"x\""), IsEmpty());
  EXPECT_THAT(parameter_names("[](int x"), IsEmpty());
}

}  // namespace
}  // namespace fanmill::detail
