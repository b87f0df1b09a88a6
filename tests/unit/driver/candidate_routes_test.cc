#include "lib/driver/candidate_routes.h"

#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

CanaryState beta_rollout() {
  CanaryState state;
  state.rollout = "api-2.0~2";
  state.policy.service = "api";
  state.policy.stable_subset = "v1";
  state.policy.candidate_subset = "v2";
  RequestMatch beta;
  beta.headers = {{"x-beta", MatchKind::kPrefix, "y"}};
  beta.cookies = {{"user", MatchKind::kExact, "a.b"}};
  beta.query = {{"v", MatchKind::kPresent, ""}};
  beta.methods = {"GET"};
  state.policy.match = {beta};
  return state;
}

ConfigEntry router(const std::string& json) { return *parse<ConfigEntry>(json, "router"); }

const char* const kUsers =
    R"({"Kind":"service-router","Name":"api","ModifyIndex":7,"Meta":{"owner":"ann"},
        "Routes":[{"Match":{"HTTP":{"PathPrefix":"/admin"}},"Destination":{"Service":"admin","NumRetries":3}}]})";

TEST_CASE("matches as Consul's routes have them") {
  const std::vector<Route> routes = candidate_routes(beta_rollout());
  REQUIRE(routes.size() == 1);
  HttpMatch want;
  want.header.resize(2);
  want.header[0].name = "x-beta";
  want.header[0].prefix = "y";
  want.header[1].name = "cookie";
  want.header[1].regex = "^(.*; *)?user=a\\.b(;.*)?$";
  want.query_param.resize(1);
  want.query_param[0].name = "v";
  want.query_param[0].present = true;
  want.methods = {"GET"};
  REQUIRE(routes[0].match->http.has_value());
  CHECK(*routes[0].match->http == want);
  CHECK(routes[0].destination->service_subset == "v2");
  CHECK(routes[0].destination->service.empty());
}

TEST_CASE("I7, I12: in front of the user's own routes, and gone without a trace") {
  const CanaryState state = beta_rollout();
  const ConfigEntry before = router(kUsers);
  const RouteEdit in = edit_routes(state, true, before);
  REQUIRE(in.kind == RouteEdit::Kind::kPut);
  CHECK(in.entry.modify_index == 7);
  const auto& routes = std::get<ServiceRouter>(in.entry.body).routes;
  REQUIRE(routes.size() == 2);
  CHECK(routes[0] == candidate_routes(state)[0]);
  CHECK(routes[1] == std::get<ServiceRouter>(before.body).routes[0]);
  CHECK(edit_routes(state, true, in.entry).kind == RouteEdit::Kind::kNone);
  const RouteEdit out = edit_routes(state, false, in.entry);
  REQUIRE(out.kind == RouteEdit::Kind::kPut);
  CHECK(out.entry == before);
  CHECK(edit_routes(state, false, before).kind == RouteEdit::Kind::kNone);
}

TEST_CASE("a router that was made for the rollout goes with it, unless somebody has put routes in") {
  const CanaryState state = beta_rollout();
  CHECK(edit_routes(state, false, std::nullopt).kind == RouteEdit::Kind::kNone);
  const RouteEdit made = edit_routes(state, true, std::nullopt);
  REQUIRE(made.kind == RouteEdit::Kind::kPut);
  CHECK(made.entry.modify_index == 0);
  CHECK(edit_routes(state, false, made.entry).kind == RouteEdit::Kind::kDelete);
  ConfigEntry used = made.entry;
  const Route theirs = std::get<ServiceRouter>(router(kUsers).body).routes[0];
  std::get<ServiceRouter>(used.body).routes.push_back(theirs);
  const RouteEdit kept = edit_routes(state, false, used);
  CHECK(kept.kind == RouteEdit::Kind::kPut);
  CHECK(std::get<ServiceRouter>(kept.entry.body).routes == std::vector<Route>{theirs});
}

TEST_CASE("P22: an affinity's cookie is the rollout's, and its route looks for nothing else") {
  CanaryState state = beta_rollout();
  state.policy.match.clear();
  state.policy.affinity = SessionAffinity{"canary", std::chrono::hours(2), 5000};
  CHECK(affinity_cookie(state) == "canary=api-2-0-2; Max-Age=7200; Path=/");
  const std::vector<Route> routes = candidate_routes(state);
  REQUIRE(routes.size() == 1);
  CHECK(routes[0].match->http->header[0].regex == "^(.*; *)?canary=api-2-0-2(;.*)?$");
}

}  // namespace
}  // namespace convergence
