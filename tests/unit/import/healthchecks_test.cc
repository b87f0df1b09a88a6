// A package's health checks for Consul (environment-manager.md 6.3) and for Sensu (6.6).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <vector>

#include "convergence/appspec.h"
#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using Seconds = std::chrono::seconds;

std::string notes_of(const std::vector<ImportRow>& report) {
  std::string out;
  for (const ImportRow& row : report) {
    out += fmt::format("{} {} {}: {}\n", row.line, row.field, to_string(row.outcome), row.why);
  }
  return out;
}

TEST_CASE("F24: every kind of check, in every way to write it") {
  const auto read = parse_healthchecks(R"(consul_healthchecks:
  c1:
    type: http
    name: web
    url: https://localhost:${PORT}/health
    tls_skip_verify: true
    method: HEAD
    interval: 10s
    timeout: 2s
  older: {type: http, name: older, http: 'http://localhost:${PORT}/', interval: 10}
  c3:
    type: script
    name: alive
    script: /alive.sh
    script_arguments: -v "two words" it\'s '$HOME'
    interval: '10'
    deregister_critical_service_after: 1h
  c4: {type: tcp, name: open, tcp: "localhost:${PORT}", interval: 1.5}
  c5: {type: grpc, name: rpc, grpc: "localhost:${PORT}/shop", grpc_use_tls: true, interval: 5s}
  c6: {type: ttl, name: sign, ttl: 30s}
)",
                                       "healthchecks.yml");
  REQUIRE_OK(read);
  const std::vector<CheckDefinition> want = {
      {.id = "c1",
       .name = "web",
       .http = "https://localhost:${PORT}/health",
       .method = "HEAD",
       .tls_skip_verify = true,
       .interval = Seconds(10),
       .timeout = Seconds(2)},
      {.id = "older", .name = "older", .http = "http://localhost:${PORT}/", .interval = Seconds(10)},
      {.id = "c3",
       .name = "alive",
       .args = {"healthchecks/consul/alive.sh", "-v", "two words", "it's", "$HOME"},
       .interval = Seconds(10),
       .deregister_critical_service_after = std::chrono::hours(1)},
      {.id = "c4", .name = "open", .tcp = "localhost:${PORT}", .interval = std::chrono::milliseconds(1500)},
      {.id = "c5", .name = "rpc", .grpc = "localhost:${PORT}/shop", .grpc_use_tls = true, .interval = Seconds(5)},
      {.id = "c6", .name = "sign", .ttl = Seconds(30)},
  };
  CHECK(read->checks == want);
  CHECK(notes_of(read->report) == "");
}

TEST_CASE("P-O, W-A20: checks that cannot be are an error, never no checks") {
  struct BadCheck {
    const char* name;
    const char* text;
    const char* message;
  };
  const BadCheck cases[] = {
      {"nothing", "", "x: line 1: is empty"},
      {"text", "hello", "x: line 1: must be an object, is text"},
      {"a list", "- a", "x: line 1: must be an object, is a list"},
      {"another member", "checks: {}", "x: line 1: needs consul_healthchecks: the checks by their ids, or {} for none"},
      {"an empty member", "consul_healthchecks:", "needs consul_healthchecks"},
      {"a list of checks", "consul_healthchecks: [a]", "consul_healthchecks: must be an object of checks by their ids"},
      {"a check that is none", "consul_healthchecks:\n  a: b",
       "x: line 2: consul_healthchecks.a: must be an object, is text"},
      {"ids that differ in case",
       "consul_healthchecks:\n  a: {type: ttl, name: a, ttl: 1s}\n  A: {type: ttl, name: b, ttl: 1s}",
       "x: line 3: consul_healthchecks.A: the id differs from \"a\" only in case"},
      {"an id twice", "consul_healthchecks:\n  a: {type: ttl, name: a, ttl: 1s}\n  a: {type: ttl, name: b, ttl: 1s}",
       "the key \"a\" is there twice"},
      {"a name twice", "consul_healthchecks:\n  a: {type: ttl, name: a, ttl: 1s}\n  b: {type: ttl, name: a, ttl: 1s}",
       "consul_healthchecks.b: the name \"a\" is there twice"},
      {"an id with a slash", "consul_healthchecks: {a/b: {type: ttl, name: a, ttl: 1s}}", "the id holds a slash"},
      {"no type", "consul_healthchecks: {a: {name: a, url: 'http://h', interval: 1s}}",
       "consul_healthchecks.a: needs type: one of script, http, tcp, grpc, ttl"},
      {"an unknown type", "consul_healthchecks: {a: {type: ping, name: a}}", "\"ping\" is none of script, http"},
      {"no name", "consul_healthchecks: {a: {type: ttl, ttl: 1s}}", "consul_healthchecks.a: needs name"},
      {"no interval", "consul_healthchecks: {a: {type: http, name: a, url: 'http://h'}}", "needs interval"},
      {"an interval of nothing", "consul_healthchecks: {a: {type: http, name: a, url: 'http://h', interval: 0}}",
       "interval: \"0\" is no time like 10s"},
      {"an interval in words", "consul_healthchecks: {a: {type: http, name: a, url: 'http://h', interval: often}}",
       "\"often\" is no time like 10s"},
      {"a negative interval", "consul_healthchecks: {a: {type: http, name: a, url: 'http://h', interval: -5s}}",
       "is no time like 10s"},
      {"no url", "consul_healthchecks: {a: {type: http, name: a, interval: 1s}}", "needs url"},
      {"two urls", "consul_healthchecks: {a: {type: http, name: a, url: 'http://h', http: 'http://h', interval: 1s}}",
       "stands beside url"},
      {"no address", "consul_healthchecks: {a: {type: http, name: a, url: '/health', interval: 1s}}",
       "is no address like"},
      {"no script", "consul_healthchecks: {a: {type: script, name: a, interval: 1s}}", "needs script"},
      {"a script above", "consul_healthchecks: {a: {type: script, name: a, script: ../../b, interval: 1s}}",
       "leads out of the package"},
      {"a quotation without an end",
       "consul_healthchecks: {a: {type: script, name: a, script: b, script_arguments: 'a \"b', interval: 1s}}",
       "script_arguments: \" begins a quotation that never ends"},
      {"no truth", "consul_healthchecks: {a: {type: http, name: a, url: 'http://h', interval: 1s, tls_skip_verify: 3}}",
       "tls_skip_verify: must be true or false, is a number"},
      {"6.6: a template", "consul_healthchecks:\n  a:\n    type: http\n    name: {{name}}\n",
       "x: line 4: a {{...}} without quotes"},
  };
  for (const BadCheck& c : cases) {
    SUBCASE(c.name) { CHECK_ERROR(parse_healthchecks(c.text, "x"), ErrorKind::kDecode, c.message); }
  }
  const auto none = parse_healthchecks("consul_healthchecks: {}", "x");
  REQUIRE_OK(none);
  CHECK(none->checks.empty());
}

TEST_CASE("what is taken with a word about it") {
  const auto read = parse_healthchecks(R"(other: 1
consul_healthchecks:
  a: {type: script, name: a, script: a.sh, script_arguments: "x | y $Z", interval: 1s, http: 'http://h'}
  b: {type: ttl, name: b, ttl: 9s, interval: 1s}
)",
                                       "x");
  REQUIRE_OK(read);
  CHECK(notes_of(read->report) ==
        "1 other ignored: nothing here is known by this name\n"
        "3 consul_healthchecks.a.script_arguments translated: no shell reads it: its signs are passed as they are\n"
        "3 consul_healthchecks.a.http ignored: nothing here is known by this name\n"
        "4 consul_healthchecks.b.interval ignored: of a check that waits for signs of life\n");
  CHECK(read->checks[0].args == std::vector<std::string>{"healthchecks/consul/a.sh", "x", "|", "y", "$Z"});
}

TEST_CASE("2.7, W-A19: a check of the package as one of an instance") {
  const CheckDefinition check = {.id = "c1", .name = "web", .http = "http://h:${PORT}/${PORT}", .interval = Seconds(1)};
  const auto blue = instance_check(check, "pr1-MyService-blue", 1234, Slice::kBlue);
  REQUIRE_OK(blue);
  CHECK(blue->id == "pr1-MyService-blue:c1");
  CHECK(blue->http == "http://h:1234/1234");
  const CheckDefinition script = {.id = "c2", .name = "s", .args = {"a.sh", "-p", "${PORT}"}, .interval = Seconds(1)};
  CHECK(instance_check(script, "s", 7, Slice::kGreen)->args == std::vector<std::string>{"a.sh", "-p", "7", "green"});
  CHECK(instance_check(script, "s", 7, Slice::kNone)->args == std::vector<std::string>{"a.sh", "-p", "7"});
  CHECK(with_port({.tcp = "h:${PORT}", .grpc = "h:${PORT}"}, 9) == CheckDefinition{.tcp = "h:9", .grpc = "h:9"});
  CHECK_ERROR(instance_check(check, "s", 0, Slice::kNone), ErrorKind::kValidate,
              "check c1 of s asks for ${PORT}, and the service has no port");
  CHECK_OK(instance_check({.id = "c", .name = "n", .args = {"a"}}, "s", 0, Slice::kBlue));
}

// ---- Sensu --------------------------------------------------------------------------------------------------------

PackageContext sensu_context(Slice slice = Slice::kNone) {
  PackageContext out;
  out.slice = slice;
  out.port = 1234;
  out.root = "/srv/pr1-My Service/d-1";
  out.service = "MyService";
  out.owning_cluster = "Tango";
  out.tags = {{"Environment", "pr1"}, {"Role", "Web"}, {"aws:autoscaling:groupName", "g"}};
  out.plugins = {{"check-http.rb", "/opt/sensu/check-http.rb"},
                 {"check-disk.rb", "/opt/sensu/check-disk.rb"},
                 {"ttl-check-http.bat", "C:\\sensu\\ttl-check-http.bat"}};
  return out;
}

TEST_CASE("F26: the files of Sensu's checks, whole") {
  const auto read = parse_sensu_healthchecks(R"(sensu_healthchecks:
  web: {type: http, name: ping, url: 'http://localhost:${PORT}/a?b=c&d', interval: 10}
  proc:
    type: script
    name: proc_1.x
    script: /ping.py
    script_arguments: -v "$X"
    interval: "60"
    alert_after: 6
    realert_every: 7
    occurrences: 8
    timeout: 9
    standalone: "false"
    aggregate: true
    aggregates: [a]
    paging_enabled: true
    ticketing_enabled: "true"
    project: SHOP
    runbook: look
    tip: think
    sla: 1h
    file: f
    override_notification_settings: Ops
    override_notification_email: [a@x.org, b@x.org]
    override_chat_channel: ['#a', '#b']
  disk: {type: plugin, name: disk, plugin: check-disk.rb, plugin_arguments: -w 80, interval: 10}
)",
                                             "healthchecks.yml", sensu_context(Slice::kBlue));
  REQUIRE_OK(read);
  REQUIRE(read->checks.size() == 3);
  const std::string usual =
      R"("handlers":["default"],"subscribers":["sensu-base"],"interval":10,"alert_after":600,"realert_every":0,)"
      R"("occurrences":5,"timeout":120,"standalone":true,"aggregate":false,"page":false,"ticket":false,"project":false,)"
      R"("runbook":null,"tip":null,"sla":null,"file":null,"team":"tango","notification_email":"undef",)"
      R"("slack_channel":"undef","ttl_environment":"pr1","ttl_role":"Web"}}})";
  CHECK(read->checks[0].id == "web");
  CHECK(read->checks[0].script == "");
  CHECK(to_text(read->checks[0].json) ==
        R"({"checks":{"MyService-ping-b":{"command":"/opt/sensu/check-http.rb -u 'http://localhost:1234/a?b=c&d'",)" +
            usual);
  CHECK(read->checks[1].script == "healthchecks/sensu/ping.py");
  CHECK(
      to_text(read->checks[1].json) ==
      R"({"checks":{"MyService-proc_1.x-b":{"command":"'/srv/pr1-My Service/d-1/healthchecks/sensu/ping.py' -v \"$X\" blue",)"
      R"("handlers":["default"],"subscribers":["sensu-base"],"interval":60,"alert_after":6,"realert_every":7,)"
      R"("occurrences":8,"timeout":9,"standalone":false,"aggregate":true,"page":true,"ticket":true,"project":"SHOP",)"
      R"("runbook":"look","tip":"think","sla":"1h","file":"f","team":"Ops","notification_email":"a@x.org,b@x.org",)"
      R"("slack_channel":"#a,#b","ttl_environment":"pr1","ttl_role":"Web"}}})");
  CHECK(to_text(read->checks[2].json) ==
        R"({"checks":{"MyService-disk-b":{"command":"/opt/sensu/check-disk.rb -w 80",)" + usual);
  CHECK(notes_of(read->report) == "15 sensu_healthchecks.proc.aggregates ignored: goes into no file of Sensu's\n");
  CHECK(sensu_file_name("pr1-MyService-blue", "web", Slice::kBlue) == "pr1-MyService-blue-web-blue.json");
}

TEST_CASE("6.6: older spellings and forms are taken, each with a row") {
  const auto read = parse_sensu_healthchecks(R"(sensu_healthchecks:
  a:
    type: script
    name: a
    script: a.sh
    interval: 10
    team: ops
    notification_email: me@x.org
  b:
    name: b
    local_script: b.py
    interval: 10
)",
                                             "x", sensu_context());
  REQUIRE_OK(read);
  REQUIRE(read->checks.size() == 1);
  const Json& check = *read->checks[0].json.find("checks")->find("MyService-a");
  CHECK(*check.find("team")->as_string() == "ops");
  CHECK(*check.find("notification_email")->as_string() == "me@x.org");
  CHECK(notes_of(read->report) ==
        "7 sensu_healthchecks.a.team translated: the older name of override_notification_settings\n"
        "8 sensu_healthchecks.a.notification_email translated: the older name of override_notification_email\n"
        "8 sensu_healthchecks.a.notification_email translated: one address without a list\n"
        "9 sensu_healthchecks.b unsupported: local_script without a type is the old form, of which no check is made; "
        "write type: script and script:\n");
}

TEST_CASE("W-A20: a Sensu check that cannot be is an error") {
  struct BadSensu {
    const char* name;
    const char* check;
    const char* message;
  };
  const BadSensu cases[] = {
      {"no type", "{name: a, interval: 1}", "x: line 1: sensu_healthchecks.a: needs type: one of http, script, plugin"},
      {"an unknown type", "{type: tcp, name: a, interval: 1}", "\"tcp\" is none of http, script, plugin"},
      {"no name", "{type: script, script: a, interval: 1}", "needs name"},
      {"an odd name", "{type: script, name: a b, script: a, interval: 1}", "\"a b\" is not made of letters"},
      {"no interval", "{type: script, name: a, script: a}", "needs interval: a number of seconds"},
      {"an interval with a unit", "{type: script, name: a, script: a, interval: 10s}", "must be a whole number"},
      {"an unknown plugin", "{type: plugin, name: a, plugin: x.rb, interval: 1}",
       "plugin: x.rb is in none of the search paths of this node"},
      {"a script above", "{type: script, name: a, script: ../a, interval: 1}", "leads out of the package"},
      {"no address", "{type: http, name: a, url: 'localhost', interval: 1}", "is no address like"},
      {"both", "{type: script, name: a, script: a, interval: 1, standalone: true, aggregate: true}",
       "aggregate: a check that stands alone has no aggregate"},
      {"no mail address", "{type: script, name: a, script: a, interval: 1, override_notification_email: [a]}",
       "override_notification_email[0]: \"a\" is no mail address"},
      {"mail that is a number", "{type: script, name: a, script: a, interval: 1, notification_email: 3}",
       "must be a list of mail addresses, is a number"},
      {"a channel without a list", "{type: script, name: a, script: a, interval: 1, override_chat_channel: x}",
       "must be a list, is text"},
      {"6.6: a template", "{type: script, name: {{a}}/b, script: a, interval: 1}", "line 1"},
  };
  for (const BadSensu& c : cases) {
    SUBCASE(c.name) {
      CHECK_ERROR(parse_sensu_healthchecks(fmt::format("sensu_healthchecks: {{a: {}}}", c.check), "x", sensu_context()),
                  ErrorKind::kDecode, c.message);
    }
  }
  PackageContext without_port = sensu_context();
  without_port.port = 0;
  CHECK_ERROR(
      parse_sensu_healthchecks("sensu_healthchecks: {a: {type: http, name: a, url: 'http://h:${PORT}', interval: 1}}",
                               "x", without_port),
      ErrorKind::kDecode, "asks for ${PORT}, and the service has no port");
  CHECK_ERROR(parse_sensu_healthchecks("sensu_healthchecks:", "x", sensu_context()), ErrorKind::kDecode,
              "needs sensu_healthchecks");
  CHECK_ERROR(parse_sensu_healthchecks(
                  "sensu_healthchecks: {a: {type: script, name: n, script: a, interval: 1}, b: {type: script, name: n, "
                  "script: a, interval: 1}}",
                  "x", sensu_context()),
              ErrorKind::kDecode, "the name of MyService-n is there twice");
}

TEST_CASE("6.6: commands on Windows") {
  PackageContext context = sensu_context();
  context.platform = "windows";
  context.root = "C:\\d";
  const auto command = [&](const char* check) {
    const auto read = parse_sensu_healthchecks(fmt::format("sensu_healthchecks: {{a: {}}}", check), "x", context);
    REQUIRE_OK(read);
    return *read->checks[0].json.find("checks")->as_object()->front().value.find("command")->as_string();
  };
  CHECK(command("{type: script, name: a, script: a.ps1, script_arguments: -x, interval: 1}") ==
        "powershell.exe -NonInteractive -NoProfile -ExecutionPolicy RemoteSigned -Command "
        "\"C:\\d/healthchecks/sensu/a.ps1 -x\"");
  CHECK(command("{type: script, name: a, script: a.ps1, server_script_isfile: true, interval: 1}") ==
        "powershell.exe -NonInteractive -NoProfile -ExecutionPolicy RemoteSigned -File C:\\d/healthchecks/sensu/a.ps1");
  CHECK(command("{type: script, name: a, script: a.py, interval: 1}") == "%PYTHON% C:\\d/healthchecks/sensu/a.py");
  CHECK(command("{type: http, name: a, url: 'http://h', interval: 1}") == "C:\\sensu\\ttl-check-http.bat http://h");
}

}  // namespace
}  // namespace convergence
