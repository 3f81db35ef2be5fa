#include "proto/job_id.hpp"

#include <gtest/gtest.h>

namespace fanmill {
namespace {

TEST(JobIdText, IsTheEpochInHexadecimalAndTheNumber) {
  EXPECT_EQ(to_text(JobId{0x9f3c21ab00000003}), "9f3c21ab-3");
  EXPECT_EQ(to_text(JobId{0x00000001ffffffff}), "1-4294967295");
}

TEST(JobIdText, ReadsBackWhatItWrote) {
  for (const std::uint64_t id : {0x9f3c21ab00000003U, 0x00000001ffffffffU, 0xffffffff00000000U}) {
    EXPECT_EQ(job_id_from_text(to_text(JobId{id})), JobId{id});
  }
}

TEST(JobIdText, RefusesEverythingElse) {
  for (const char* text : {"", "-", "3", "1-", "-1", "1-4294967296", "100000000-1", "1-03", "01-3",
                           "1-3 ", "A-1", "1-+3", "0x1-3", "1-3-4", "g-1"}) {
    EXPECT_EQ(job_id_from_text(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace fanmill
