// Collecting on generated KV: nothing that is wanted, pointed to or carried goes, nothing of others is touched, and
// once done there is nothing more to do. CONVERGENCE_SEED and CONVERGENCE_CASES choose the worlds.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/collect.h"
#include "convergence/deployment.h"
#include "convergence/operate.h"
#include "tests/support/plan_values.h"
#include "tests/support/random_cases.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::below;
using test::chance;
using test::for_each_case;
using test::pick;
using Kv = std::map<std::string, KvPair>;

const Time kNow{std::chrono::hours(24 * 1000)};
// Names of which one begins as the other does, or that are the other with more.
const std::vector<std::string> kRoles = {"Web", "Web-blue", "WebAdmin", "we"};
const std::vector<std::string> kServices = {"Shop", "Shop-blue", "Shopping"};
const std::vector<std::string> kVersions = {"1", "1.0", "10"};
const std::vector<std::string> kIds = {"d1", "d10", "d2", "d2@1"};

void put(Kv& kv, const std::string& key, std::string value) {
  KvPair& pair = kv[key];
  pair.key = key;
  pair.value = std::move(value);
  pair.modify_index = 100 + kv.size();
}

std::string some_report(std::mt19937_64& random) {
  if (chance(random, 5)) return "{";
  NodeReport report;
  report.start = kNow - std::chrono::hours(24 * below(random, 60));
  if (chance(random, 80)) report.end = report.start;
  return to_text(to_json(report));
}

Kv our_kv(std::mt19937_64& random) {
  Kv kv;
  for (int i = 0; i < 6; ++i) {
    DesiredService service = test::service(pick(random, kServices), pick(random, kVersions), pick(random, kRoles));
    service.release.deployment = pick(random, kIds);
    service.generation = 1;
    if (chance(random, 50)) {
      service.last_good = service.release;
      service.last_good->deployment = pick(random, kIds);
    }
    if (chance(random, 20)) service.action = DesiredAction::kUninstall;
    const KvPair pair = desired_to_kv({{service}, {}}, "ours").front();
    put(kv, pair.key, chance(random, 3) ? "{" : pair.value);
  }
  for (int i = 0; i < 30; ++i) {
    const std::string folder =
        deployment_folder("ours", pick(random, kRoles), pick(random, kServices), pick(random, kIds));
    put(kv, fmt::format("{}nodes/n{}", folder, below(random, 3)), some_report(random));
    if (chance(random, 10)) put(kv, folder + "notes", "mine");
  }
  return kv;
}

Kv their_kv(std::mt19937_64& random) {
  Kv kv;
  const std::vector<std::string> environments = {"pr1", "pr10"};
  for (int i = 0; i < 5; ++i) {
    const std::string key =
        fmt::format("environments/{}/roles/{}/services/{}{}", pick(random, environments), pick(random, kRoles),
                    pick(random, kServices), pick(random, std::vector<std::string>{"", "/none", "/blue", "/none"}));
    put(kv, key,
        chance(random, 3)
            ? "{"
            : fmt::format(R"({{"Version":"{}","DeploymentId":"{}"}})", pick(random, kVersions), pick(random, kIds)));
  }
  for (int i = 0; i < 8; ++i) {
    const std::string folder = fmt::format("environments/{}/services/{}/{}/", pick(random, environments),
                                           pick(random, kServices), pick(random, kVersions));
    put(kv, folder + "definition", "{}");
    if (chance(random, 80)) put(kv, folder + "installation", "{}");
  }
  for (const std::string& id : kIds) {
    const std::string folder = fmt::format("deployments/{}/", id);
    if (chance(random, 90)) {
      put(kv, folder + "service",
          fmt::format(R"({{"Name":"{}","Version":"{}","Environment":"{}"}})", pick(random, kServices),
                      pick(random, kVersions), pick(random, environments)));
    }
    for (int node = 0; node < 2; ++node) {
      if (chance(random, 70)) put(kv, fmt::format("{}nodes/i-{}", folder, node), some_report(random));
    }
  }
  return kv;
}

CatalogState some_catalog(std::mt19937_64& random) {
  CatalogState catalog;
  for (const std::string& id : kServices) {
    if (chance(random, 50)) continue;
    InstanceState state;
    state.instance.node = "n1";
    state.instance.id = state.instance.service = id;
    state.instance.meta[std::string(kMetaDeployment)] = pick(random, kIds);
    state.instance.tags = {"deployment_id:" + pick(random, kIds)};
    ServiceState service;
    service.name = id;
    service.instances = {state};
    catalog.services[id] = service;
  }
  return catalog;
}

std::vector<KvPair> pairs_of(const Kv& kv) {
  std::vector<KvPair> out;
  for (const auto& [key, pair] : kv) out.push_back(pair);
  return out;
}

// As a server does each batch, compared with what stands there.
void carry_out(const CollectPlan& plan, Kv& kv) {
  for (const CollectBatch& batch : collect_batches(plan)) {
    CHECK(batch.operations.size() <= kCollectBatch);
    for (const Json& operation : batch.operations) {
      const Json& body = *operation.find("KV");
      const std::string key = *body.find("Key")->as_string();
      const std::string verb = *body.find("Verb")->as_string();
      const auto found = kv.find(key);
      if (verb == "check-not-exists") {
        CHECK(found == kv.end());
        continue;
      }
      REQUIRE(found != kv.end());
      CHECK(body.find("Index")->as_number()->text == fmt::format("{}", found->second.modify_index));
      if (verb == "delete-cas") kv.erase(found);
    }
  }
}

std::string member(const KvPair& pair, const char* name) {
  const auto json = parse_json(pair.value, pair.key);
  const Json* value = json.ok() ? json->find(name) : nullptr;
  return value && value->as_string() ? *value->as_string() : "";
}

// Every key of `before` below the folder is in `after`.
void stays(const std::string& folder, const Kv& before, const Kv& after) {
  for (auto it = before.lower_bound(folder); it != before.end() && it->first.starts_with(folder); ++it) {
    CAPTURE(it->first);
    CHECK(after.contains(it->first));
  }
}

TEST_CASE("of our own keys nothing that is wanted, known to be good or carried goes") {
  for_each_case(400, [](std::mt19937_64& random) {
    const Kv before = our_kv(random);
    const CatalogState catalog = some_catalog(random);
    const auto history = deployment_history(pairs_of(before), "ours");
    REQUIRE_OK(history);
    Kv after = before;
    const CollectPlan plan = plan_collect(*history, catalog, kNow, {});
    carry_out(plan, after);

    for (const auto& [key, pair] : before) {
      const bool kept_form = key.ends_with("/notes") || pair.value == "{";
      if (kept_form && key.find("/nodes/") == std::string::npos) CHECK(after.contains(key));
      const auto read = key.starts_with("ours/desired/") ? parse<DesiredService>(pair.value, key)
                                                         : absl::StatusOr<DesiredService>(absl::NotFoundError(""));
      if (!read.ok()) continue;
      CHECK((after.contains(key) || read->action == DesiredAction::kUninstall));
      stays(deployment_folder("ours", *read), before, after);
      if (read->last_good) {
        stays(deployment_folder("ours", read->placement.role, service_id(*read), read->last_good->deployment), before,
              after);
      }
    }
    for (const auto& [id, service] : catalog.services) {
      const std::string carried = service->instances.front().instance.meta.at(std::string(kMetaDeployment));
      for (const std::string& role : kRoles) stays(deployment_folder("ours", role, id, carried), before, after);
    }
    // What services that are gone have kept goes with the next look; then there is nothing more.
    for (int looks = 0; looks < 2; ++looks) {
      const auto again = deployment_history(pairs_of(after), "ours");
      REQUIRE_OK(again);
      const CollectPlan more = plan_collect(*again, catalog, kNow, {});
      if (looks == 1) CHECK(more.goes == std::vector<CollectUnit>{});
      carry_out(more, after);
    }
  });
}

TEST_CASE("W-S6, W-S16: of Environment Manager's keys nothing that any role points to goes") {
  for_each_case(400, [](std::mt19937_64& random) {
    const Kv before = their_kv(random);
    const CatalogState catalog = some_catalog(random);
    const auto history = environment_history(pairs_of(before), "pr1");
    REQUIRE_OK(history);
    Kv after = before;
    carry_out(plan_collect(*history, catalog, kNow, {}), after);

    std::set<std::string> elsewhere;  // deployments of another environment, or of nobody knows which
    for (const std::string& id : kIds) {
      const auto service = before.find(fmt::format("deployments/{}/service", id));
      if (service == before.end() || member(service->second, "Environment") != "pr1") elsewhere.insert(id);
    }
    for (const std::string& id : elsewhere) stays(fmt::format("deployments/{}/", id), before, after);
    stays("environments/pr10/", before, after);
    stays("environments/pr1/roles/", before, after);
    for (const auto& [key, pair] : before) {
      const std::string roles = "environments/pr1/roles/";
      if (!key.starts_with(roles)) continue;
      std::string service = key.substr(key.find("/services/") + 10);
      service = service.substr(0, service.find('/'));
      const std::string versions = fmt::format("environments/pr1/services/{}/", service);
      if (pair.value == "{") {
        stays(versions, before, after);
      } else {
        stays(fmt::format("{}{}/", versions, member(pair, "Version")), before, after);
        stays(fmt::format("deployments/{}/", member(pair, "DeploymentId")), before, after);
      }
    }
    for (const auto& [id, service] : catalog.services) {
      const std::string tag = service->instances.front().instance.tags.front();
      stays(fmt::format("deployments/{}/", tag.substr(tag.find(':') + 1)), before, after);
    }
    const auto again = environment_history(pairs_of(after), "pr1");
    REQUIRE_OK(again);
    CHECK(plan_collect(*again, catalog, kNow, {}).goes == std::vector<CollectUnit>{});
  });
}

}  // namespace
}  // namespace convergence
