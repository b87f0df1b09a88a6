#include "lib/counters/exposition.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/status_check.h"

namespace convergence {
namespace {

const Time kRead{std::chrono::seconds(1'700'000'000)};

bool every_name(std::string_view) { return true; }

LabelledSeries one_series(std::string name, Labels labels, double value, Time at = kRead) {
  LabelledSeries out;
  out.name = std::move(name);
  out.labels = std::move(labels);
  out.samples = {{at, value}};
  return out;
}

TEST_CASE("a page with all that the form allows") {
  const auto page = read_exposition(
      "# HELP rq Requests { not read }\n"
      "# TYPE rq counter\n"
      "rq{code=\"200\",path=\"/a \\\"b\\\" \\\\ \\n \\d\"} 12\n"
      "rq{code=\"500\",} 3 1700000000123\n"
      "\n"
      "rq_bare 1e3\r\n"
      "  rq_spaced { code = \"200\" , x = \"\" }  +7  \n"
      "rq_time_bucket{le=\"+Inf\"} 5 # {trace=\"abc\"} 0.67 1700000000.1\n"
      "up:rate -0.5\n"
      "# EOF\n",
      kRead, every_name);
  REQUIRE_OK(page);
  CHECK(*page == std::vector<LabelledSeries>{
                     one_series("rq", {{"code", "200"}, {"path", "/a \"b\" \\ \n \\d"}}, 12),
                     one_series("rq", {{"code", "500"}}, 3, Time(std::chrono::milliseconds(1700000000123))),
                     one_series("rq_bare", {}, 1000), one_series("rq_spaced", {{"code", "200"}, {"x", ""}}, 7),
                     one_series("rq_time_bucket", {{"le", "+Inf"}}, 5), one_series("up:rate", {}, -0.5)});
}

TEST_CASE("only names that are wanted are kept, but every line has to be one") {
  const auto wanted = [](std::string_view name) { return name == "b"; };
  const auto page = read_exposition("a{x=\"1\"} 1\nb 2\nc{y=\"}\"} 3\n", kRead, wanted);
  REQUIRE_OK(page);
  CHECK(*page == std::vector<LabelledSeries>{one_series("b", {}, 2)});
  CHECK_ERROR(read_exposition("a{x=\"1} 1\nb 2\n", kRead, wanted), ErrorKind::kProtocol, "line 1: a: labels");
}

TEST_CASE("a page that was cut off, or is none, is refused with the line") {
  const struct {
    const char* page;
    const char* why;
  } cases[] = {
      {"a 1\nb 2", "line 2: the page ends within it"},
      {"<html>\n", "line 1: no name of a metric"},
      {"a\n", "line 1: a: no number"},
      {"a one\n", "line 1: a: no number"},
      {"a 1 soon\n", "line 1: a: no number, or something behind it"},
      {"a 1 1700000000123 more\n", "line 1: a: no number, or something behind it"},
      {"a{b=\"1\" c=\"2\"} 1\n", "line 1: a: labels"},
      {"a{b=1} 1\n", "line 1: a: labels"},
      {"a{=\"1\"} 1\n", "line 1: a: labels"},
      {"a{b=\"1\"\n", "line 1: a: labels"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.page);
    CHECK_ERROR(read_exposition(c.page, kRead, every_name), ErrorKind::kProtocol, c.why);
  }
  const auto empty = read_exposition("", kRead, every_name);
  REQUIRE_OK(empty);
  CHECK(empty->empty());
}

}  // namespace
}  // namespace convergence
