#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using namespace std::string_literals;

TEST_CASE("durations are written as Go writes them") {
  struct Case {
    std::int64_t nanoseconds;
    const char* text;
  };
  const Case cases[] = {
      {0, "0s"},
      {7, "7ns"},
      {-7, "-7ns"},
      {999, "999ns"},
      {1000, "1\xC2\xB5s"},
      {250'500, "250.5\xC2\xB5s"},
      {1'000'000, "1ms"},
      {750'000'000, "750ms"},
      {1'500'000, "1.5ms"},
      {1'000'000'000, "1s"},
      {1'500'000'000, "1.5s"},
      {-3'000'000'000, "-3s"},
      {90'000'000'000, "1m30s"},
      {60'000'000'000, "1m0s"},
      {7'200'000'000'000, "2h0m0s"},
      {5'400'000'000'250, "1h30m0.00000025s"},
      {std::numeric_limits<std::int64_t>::max(), "2562047h47m16.854775807s"},
      {std::numeric_limits<std::int64_t>::min(), "-2562047h47m16.854775808s"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.text) {
      CHECK(duration_to_text(Duration(c.nanoseconds)) == c.text);
      const absl::StatusOr<Duration> back = duration_from_text(c.text);
      REQUIRE_OK(back);
      CHECK(back->count() == c.nanoseconds);
    }
  }
}

TEST_CASE("durations are read as Go reads them") {
  struct Case {
    const char* text;
    std::int64_t nanoseconds;
  };
  const Case cases[] = {
      {"0", 0},
      {"+0", 0},
      {"-0s", 0},
      {"+5s", 5'000'000'000},
      {"1h1h", 7'200'000'000'000},
      {"1.5h0.25us", 5'400'000'000'250},
      {".5s", 500'000'000},
      {"5.s", 5'000'000'000},
      {"0.25ns", 0},
      {"3\xCE\xBCs", 3000},
      {"1ms1us1ns", 1'001'001},
      {"0.3333333333333333333h", 1'200'000'000'000},
      {"9223372036854775807ns", std::numeric_limits<std::int64_t>::max()},
  };
  for (const Case& c : cases) {
    SUBCASE(c.text) {
      const absl::StatusOr<Duration> duration = duration_from_text(c.text);
      REQUIRE_OK(duration);
      CHECK(duration->count() == c.nanoseconds);
    }
  }
}

TEST_CASE("what is no duration is refused with a word on how to write one") {
  struct Case {
    const char* text;
    const char* problem;
  };
  const Case cases[] = {
      {"", "a number is missing"},
      {"-", "a number is missing"},
      {"s", "a number is missing"},
      {".s", "a number is missing"},
      {"--1s", "a number is missing"},
      {"1s ", "a number is missing"},
      {" 1s", "a number is missing"},
      {"5", "a unit is missing"},
      {"1.5", "a unit is missing"},
      {"1d", "a unit is missing"},
      {"1S", "a unit is missing"},
      {"3e2s", "a unit is missing"},
      {"9223372036854775808ns", "out of range"},
      {"3000000h", "out of range"},
      {"2562047h48m", "out of range"},
      {"99999999999999999999s", "out of range"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.text) {
      CHECK(std::string(duration_from_text(c.text).status().message()) ==
            "\""s + c.text + "\" is no duration: " + c.problem + "; write it like 1m30s or 250ms");
    }
  }
}

TEST_CASE("every duration reads back from its text") {
  constexpr std::uint64_t kSeed = 11;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 20000; ++i) {
    const int bits = static_cast<int>(random() % 64);
    const auto count = static_cast<std::int64_t>(random() >> bits) * (random() % 2 == 0 ? 1 : -1);
    const absl::StatusOr<Duration> back = duration_from_text(duration_to_text(Duration(count)));
    REQUIRE_OK(back);
    REQUIRE(back->count() == count);
  }
}

TEST_CASE("base64") {
  struct Case {
    std::string bytes;
    const char* text;
  };
  const Case cases[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"\0\xFF\xFE"s, "AP/+"},
      {"\xFB\xEF\xBE"s, "++++"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.text) {
      CHECK(base64_encode(c.bytes) == c.text);
      const absl::StatusOr<std::string> back = base64_decode(c.text);
      REQUIRE_OK(back);
      CHECK(*back == c.bytes);
    }
  }
  std::mt19937_64 random(7);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>(random() & 255);
    const absl::StatusOr<std::string> back = base64_decode(base64_encode(bytes));
    REQUIRE_OK(back);
    REQUIRE(*back == bytes);
  }
}

TEST_CASE("base64 is strict") {
  struct Case {
    const char* text;
    const char* problem;
  };
  const Case cases[] = {
      {"Zg", "base64: the length is no multiple of four"},
      {"Zg=", "base64: the length is no multiple of four"},
      {"Z===", "base64: a character outside the alphabet"},
      {"====", "base64: a character outside the alphabet"},
      {"Zg==Zg==", "base64: a character outside the alphabet"},
      {"Zm 9", "base64: a character outside the alphabet"},
      {"Zm-_", "base64: a character outside the alphabet"},
      {"Z=g=", "base64: a character outside the alphabet"},
      {"Zh==", "base64: bits are set past the end"},
      {"Zm9=", "base64: bits are set past the end"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.text) { CHECK(std::string(base64_decode(c.text).status().message()) == c.problem); }
  }
}

}  // namespace
}  // namespace convergence
