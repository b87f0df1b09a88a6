// Node reports: byte for byte as Environment Manager's agent writes them, with members of ours behind.
#include "convergence/report.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

// 2017-11-22 03:57:29 UTC
constexpr Time kStart = Time(std::chrono::seconds(1511323049) + std::chrono::microseconds(312077));

TEST_CASE("K6 byte for byte (environment-manager.md 1.6, 1.7)") {
  NodeReport report;
  report.start = kStart;
  report.attempts = 1;
  CHECK(to_text(to_json(report)) ==
        R"({"Cause":"Deployment","StartTime":"2017-11-22T03:57:29.312077","EndTime":"","Status":"In Progress",)"
        R"("LastCompletedStage":"","NumberOfAttempts":1,"Log":""})");
  report.end = kStart + std::chrono::minutes(63);
  report.status = NodeStatus::kSuccess;
  report.last_completed_stage = "Complete";
  report.log = "https://b/p/pr1/pr1-MyService/deployment-i-1-d-1.log";
  const std::string text =
      R"({"Cause":"Deployment","StartTime":"2017-11-22T03:57:29.312077","EndTime":"2017-11-22T05:00:29.312077",)"
      R"("Status":"Success","LastCompletedStage":"Complete","NumberOfAttempts":1,)"
      R"("Log":"https://b/p/pr1/pr1-MyService/deployment-i-1-d-1.log"})";
  CHECK(to_text(to_json(report)) == text);
  const auto back = parse<NodeReport>(text, "x");
  REQUIRE_OK(back);
  CHECK(*back == report);
}

TEST_CASE("F4, W-A27: what is ours stands behind theirs") {
  NodeReport report;
  report.start = Time(std::chrono::seconds(0));
  report.status = NodeStatus::kFailed;
  report.service = "pr1-MyService";
  report.version = "1.2.3";
  report.stage = "StartApplication";
  report.percent = 40;
  report.reason = "start.sh: exit status 3";
  report.log_tail = {"a", "b"};
  report.last_good_deployment = "d-0";
  report.updated = Time(std::chrono::microseconds(1));
  report.unknown = {{"Colour", Json("red")}};
  const std::string text =
      R"({"Cause":"Deployment","StartTime":"1970-01-01T00:00:00.000000","EndTime":"","Status":"Failed",)"
      R"("LastCompletedStage":"","NumberOfAttempts":0,"Log":"","Service":"pr1-MyService","Version":"1.2.3",)"
      R"("Stage":"StartApplication","Percent":40,"Reason":"start.sh: exit status 3","LogTail":["a","b"],)"
      R"("LastGoodDeployment":"d-0","UpdateTime":"1970-01-01T00:00:00.000001","Colour":"red"})";
  CHECK(to_text(to_json(report)) == text);
  const auto back = parse<NodeReport>(text, "x");
  REQUIRE_OK(back);
  CHECK(*back == report);
}

TEST_CASE("not started is no report") {
  NodeReport report;
  CHECK(node_status(nullptr) == "Not Started");
  CHECK(node_status(&report) == "In Progress");
  report.status = NodeStatus::kFailed;
  CHECK(node_status(&report) == "Failed");
}

TEST_CASE("times that others write") {
  struct Case {
    const char* text;
    Duration since_1970;
  };
  using std::chrono::microseconds;
  using std::chrono::seconds;
  const Case cases[] = {
      {"2017-11-22T03:57:29", seconds(1511323049)},  // theirs leaves out a fraction of zero
      {"2017-11-22T03:57:29.5", seconds(1511323049) + microseconds(500000)},
      {"2017-11-22T03:57:29.312077Z", seconds(1511323049) + microseconds(312077)},
      {"2016-02-29T23:59:59.000001", seconds(1456790399) + microseconds(1)},
      {"1969-12-31T23:59:59.999999", microseconds(-1)},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto report =
        parse<NodeReport>(R"({"Status":"In Progress","StartTime":")" + std::string(c.text) + R"("})", "x");
    REQUIRE_OK(report);
    CHECK(report->start.time_since_epoch() == c.since_1970);
    CHECK(*parse<NodeReport>(to_text(to_json(*report)), "x") == *report);
  }
}

TEST_CASE("what is no report is told with its member") {
  struct Case {
    const char* name;
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"no status", R"({"StartTime":"2017-11-22T03:57:29"})", "needs a member \"Status\""},
      {"an unknown status", R"({"StartTime":"2017-11-22T03:57:29","Status":"Not Started"})",
       "\"Not Started\" is none of In Progress, Success, Failed"},
      {"no start", R"({"Status":"Success"})", "needs a member \"StartTime\""},
      {"a day that there is not", R"({"Status":"Success","StartTime":"2017-02-29T03:57:29"})", "/StartTime"},
      {"an hour that there is not", R"({"Status":"Success","StartTime":"2017-02-28T24:00:00"})", "is no time like"},
      {"another zone", R"({"Status":"Success","StartTime":"2017-02-28T03:57:29+01:00"})", "in UTC"},
      {"a sign", R"({"Status":"Success","StartTime":"2017-02-28T-3:57:29"})", "is no time like"},
      {"a point alone", R"({"Status":"Success","StartTime":"2017-02-28T03:57:29."})", "is no time like"},
      {"a year out of range", R"({"Status":"Success","StartTime":"9999-02-28T03:57:29"})", "is no time like"},
      {"a number", R"({"Status":"Success","StartTime":1511323049})", "must be a time like"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK_ERROR(parse<NodeReport>(c.text, "x"), ErrorKind::kDecode, c.message); }
  }
}

}  // namespace
}  // namespace convergence
