#ifndef CONVERGENCE_TESTS_UNIT_CODEC_VALUE_GENERATOR_H_
#define CONVERGENCE_TESTS_UNIT_CODEC_VALUE_GENERATOR_H_

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "convergence/agent.h"
#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "convergence/desired.h"
#include "convergence/plan.h"
#include "convergence/report.h"

namespace convergence::test {

// Makes values of every type, each field sometimes at its default: one seed, one sequence on every machine. Only values
// in normal form, which is what documents can hold (a config entry as the server answers it).
class ValueGenerator {
 public:
  explicit ValueGenerator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(std::uint64_t in) { return below(in) == 0; }

  ConfigEntry entry() {
    ConfigEntry out;
    out.name = text();
    out.meta = text_map();
    out.create_index = index();
    out.modify_index = index();
    switch (below(6)) {
      case 0:
        out.kind = chance(2) ? "terminating-gateway" : "made-up";
        out.body = OpaqueEntry{unknown()};
        break;
      case 1:
        out.kind = kProxyDefaults, out.body = proxy_defaults();
        break;
      case 2:
        out.kind = kServiceDefaults, out.body = service_defaults();
        break;
      case 3:
        out.kind = kServiceRouter, out.body = router();
        break;
      case 4:
        out.kind = kServiceSplitter, out.body = splitter();
        break;
      default:
        out.kind = kServiceResolver, out.body = resolver();
        break;
    }
    return out;
  }

  void make_current(ChainTarget& target) {
    target.partition = "default";
    target.peer = text();
    target.transparent_proxy.dialed_directly = flag();
    target.connect_timeout = duration();
    target.prioritize_by_locality = locality_priority();
  }

  DiscoveryChain chain() {
    DiscoveryChain out{text(), text(), text(), text(), text()};
    const bool current = flag();
    if (current) {
      out.dialect = Dialect::kCurrent;
      out.partition = "default";
      out.is_default = flag();
      out.service_meta = text_map();
      out.envoy_extensions = extensions();
    }
    std::set<std::string> ids;
    for (std::uint64_t i = below(5); i > 0; --i) ids.insert(text());
    for (const std::string& id : ids) {
      out.targets.push_back({.id = id,
                             .service = text(),
                             .service_subset = text(),
                             .namespace_name = text(),
                             .datacenter = text(),
                             .mesh_gateway_mode = text(),
                             .subset = subset(),
                             .name = text(),
                             .external_sni = flag() ? text() : ""});
      if (current) make_current(out.targets.back());
    }
    make_nodes(out);
    return out;
  }

  Node node() { return {text(), text(), text(), text(), text_map(), text_map(), index(), index(), unknown()}; }

  HealthCheck check() {
    HealthCheck out;
    out.node = text();
    out.id = text();
    out.name = text();
    out.status = static_cast<CheckStatus>(below(3));
    out.notes = text();
    out.output = text();
    out.service_id = text();
    out.service_name = text();
    out.service_tags = text_list();
    out.type = text();
    if (flag()) out.definition = Json().set("HTTP", text()).set("Interval", "10s");
    out.create_index = index();
    out.modify_index = index();
    out.unknown = unknown();
    return out;
  }

  // Its node is not in the JSON.
  ServiceInstance instance() {
    ServiceInstance out;
    out.id = text();
    out.service = text();
    out.kind = text();
    out.tags = text_list();
    out.address = text();
    out.port = int32();
    out.meta = text_map();
    out.weights = {int32(), int32()};
    out.enable_tag_override = flag();
    out.create_index = index();
    out.modify_index = index();
    if (flag()) out.unknown.push_back({"TaggedAddresses", Json().set("lan", json(2))});
    for (Json::Member& member : unknown()) out.unknown.push_back(std::move(member));
    return out;
  }

  KvPair kv() {
    std::string bytes;
    for (std::uint64_t i = below(20); i > 0; --i) bytes += static_cast<char>(below(256));
    return {text(), bytes, index(), text(), index(), index(), index()};
  }

  // As the answers of one moment tell it.
  CatalogState catalog() {
    CatalogState out;
    out.datacenter = "dc1";
    out.index = index();
    std::vector<std::string> names;
    for (std::uint64_t i = below(4); i > 0; --i) {
      NodeState state;
      state.node = node();
      names.push_back(state.node.name);
      for (std::uint64_t j = below(3); j > 0; --j)
        state.checks.push_back(check_of("node-" + std::to_string(3 - j), state.node.name, ""));
      out.nodes[state.node.name] = state;
    }
    for (std::uint64_t i = below(4); i > 0; --i) {
      const std::string name = text();
      out.services[name] = service_state(name, names);
    }
    for (std::uint64_t i = below(4); i > 0; --i) {
      ConfigEntry made = entry();
      out.entries[entry_key(made)] = made;
    }
    for (std::uint64_t i = below(4); i > 0; --i) {
      KvPair pair = kv();
      out.kv[pair.key] = pair;
    }
    return out;
  }

  CheckDefinition check_definition() {
    return {text(), text(),      text(),     text(),     flag(),     text(),     text(),
            flag(), text_list(), duration(), duration(), duration(), duration(), unknown()};
  }

  Release release() {
    Release out;
    out.version = text();
    out.deployment = text();
    if (flag()) out.package = {text(), text(), index()};
    out.port = int32();
    out.tags = text_list();
    out.meta = text_map();
    for (std::uint64_t i = below(3); i > 0; --i) out.checks.push_back(check_definition());
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.hooks[static_cast<HookEvent>(below(5))].push_back({text(), duration(), text()});
    }
    out.environment = text_map();
    out.run_as = text();
    out.depends_on = text_list();
    if (flag()) out.demands = {index(), index()};
    out.deadline = duration();
    return out;
  }

  DesiredService desired_service() {
    DesiredService out;
    out.name = text();
    out.slice = static_cast<Slice>(below(3));
    out.id = text();
    out.registered_name = text();
    out.placement = {text(), text_map(), text_list(), text()};
    out.action = static_cast<DesiredAction>(below(3));
    out.generation = index();
    out.release = release();
    if (flag()) out.last_good = release();
    if (flag()) {
      out.strategy = {int32(), int32(), int32(), duration(), duration(), flag(), static_cast<OnRemoval>(below(2)),
                      text()};
    }
    if (flag()) {
      out.progress = {index(), static_cast<FleetPhase>(below(5)), time(), text_list(), text(), int32()};
    }
    out.unknown = unknown();
    return out;
  }

  // Its times are whole microseconds, of years with four digits.
  NodeReport node_report() {
    NodeReport out;
    const auto moment = [&] { return Time(std::chrono::microseconds(static_cast<std::int64_t>(below(1ULL << 52)))); };
    out.cause = text();
    out.start = moment();
    if (flag()) out.end = moment();
    out.status = static_cast<NodeStatus>(below(3));
    out.last_completed_stage = text();
    out.attempts = int32();
    out.log = text();
    out.service = text();
    out.version = text();
    out.stage = text();
    out.percent = int32();
    out.reason = text();
    out.log_tail = text_list();
    out.log_problem = text();
    out.last_good_deployment = text();
    if (flag()) out.updated = moment();
    out.unknown = unknown();
    return out;
  }

  AppSpec app_spec() {
    AppSpec out;
    out.os = text();
    for (std::uint64_t i = below(3); i > 0; --i) out.files.push_back({text(), text()});
    for (std::uint64_t i = below(3); i > 0; --i) {
      AppPermission& one = out.permissions.emplace_back();
      one = {text(), text(), text_list(), text_list(), text(), text(), {}};
      if (flag()) one.mode = static_cast<std::uint32_t>(below(4096));
    }
    out.hooks = release().hooks;
    for (std::uint64_t i = below(3); i > 0; --i) out.checks.push_back(check_definition());
    for (std::uint64_t i = below(3); i > 0; --i) out.sensu.push_back({text(), text(), Json().set("interval", int32())});
    return out;
  }

  Installed installed() {
    Installed out;
    out.name = text();
    out.registered_name = text();
    out.slice = static_cast<Slice>(below(3));
    out.role = text();
    out.deployment = text();
    out.release = release();
    out.on_removal = static_cast<OnRemoval>(below(2));
    out.spec = app_spec();
    if (flag()) out.undo.set("link", text());
    return out;
  }

  Strategy strategy() {
    return {int32(), int32(), int32(), duration(), duration(), flag(), static_cast<OnRemoval>(below(2)), text()};
  }

  AgentMemory agent_memory() {
    AgentMemory out;
    for (std::uint64_t i = below(3); i > 0; --i) out.installed[text()] = installed();
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.outcomes[text()][text()] = {flag(), static_cast<Stage>(below(25)), text(), int32(), time()};
    }
    if (flag()) {
      Task& task = out.task.emplace();
      task.kind = static_cast<TaskKind>(below(3));
      task.service_id = text();
      task.why = text();
      task.next = installed();
      if (flag()) task.previous = installed();
      task.strategy = strategy();
      task.previous_passed = flag();
      task.stage = static_cast<Stage>(below(25));
      task.attempt = int32();
      task.work = index();
      task.started = time();
      task.deadline = time();
      task.failure = text();
      task.failed_stage = static_cast<Stage>(below(25));
    }
    out.next_work = index();
    out.paused = flag();
    return out;
  }

  ServiceFleet fleet() {
    ServiceFleet out;
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.nodes.push_back({text(), flag(), text(), static_cast<CheckStatus>(below(3)), text()});
    }
    return out;
  }

  NodeView node_view() {
    NodeView out;
    out.node = text();
    out.owner = text();
    for (std::uint64_t i = below(3); i > 0; --i) out.installed[text()] = installed();
    for (std::uint64_t i = below(3); i > 0; --i) out.local[text()] = {instance(), {check()}};
    for (std::uint64_t i = below(3); i > 0; --i) out.damaged.insert(text());
    for (std::uint64_t i = below(3); i > 0; --i) out.failed[text()][text()] = text();
    return out;
  }

  AgentState agent_state() {
    AgentState out;
    out.config = {text(),     text(),     duration(), duration(), duration(),
                  duration(), duration(), int32(),    int32(),    int32()};
    out.memory = agent_memory();
    for (std::uint64_t i = below(3); i > 0; --i) out.services.push_back(desired_service());
    out.desired_known = flag();
    for (std::uint64_t i = below(3); i > 0; --i) out.local[text()] = {instance(), {check()}};
    out.damaged = text_list();
    for (std::uint64_t i = below(3); i > 0; --i) out.parked[text()] = {time(), text(), flag()};
    out.locked = text();
    out.last_event_at = time();
    out.audit_at = time();
    out.looks["web"] = {time(), 3};
    return out;
  }

  AgentEvent agent_event() {
    AgentEvent out;
    out.at = time();
    switch (below(7)) {
      case 0:
        out.body = AgentStarted{};
        break;
      case 1: {
        DesiredSeen seen;
        for (std::uint64_t i = below(3); i > 0; --i) seen.services.push_back(desired_service());
        seen.torn = text_list();
        seen.locked = text();
        out.body = seen;
        break;
      }
      case 2: {
        LocalSeen seen;
        for (std::uint64_t i = below(3); i > 0; --i) seen.local[text()] = {instance(), {check()}};
        seen.damaged = text_list();
        out.body = seen;
        break;
      }
      case 3: {
        FleetSeen seen;
        seen.service_id = text();
        seen.fleet = fleet();
        out.body = seen;
        break;
      }
      case 4: {
        WorkDone done;
        done.id = index();
        done.ok = flag();
        done.problem = text();
        if (flag()) done.facts = NodeFacts{index(), index(), text()};
        if (flag()) done.spec = app_spec();
        done.digest = text();
        if (flag()) done.undo.set("link", text());
        out.body = done;
        break;
      }
      case 5:
        out.body = Woken{};
        break;
      default:
        out.body = AgentCommand{static_cast<AgentVerb>(below(3)), text()};
    }
    return out;
  }

  DesiredState desired() {
    DesiredState out;
    for (std::uint64_t i = below(4); i > 0; --i) out.services.push_back(desired_service());
    for (std::uint64_t i = below(4); i > 0; --i) out.entries.push_back(entry());
    return out;
  }

  Plan plan() {
    Plan out;
    out.catalog_index = index();
    for (std::uint64_t i = below(4); i > 0; --i) out.steps.push_back(step());
    for (std::uint64_t i = below(3); i > 0; --i) out.held.push_back({text(), static_cast<Reason>(below(11)), text()});
    return out;
  }

  PlanOptions plan_options() {
    PlanOptions out;
    out.prune = flag();
    out.take_foreign = flag();
    out.owner = text();
    out.cluster = {text(), text(), static_cast<Dialect>(below(2))};
    return out;
  }

  CanaryPolicy policy() {
    CanaryPolicy out;
    if (flag()) return out;
    out.service = text();
    out.stable_subset = text();
    out.candidate_subset = text();
    out.steps.clear();
    for (std::uint64_t i = below(5); i > 0; --i) out.steps.push_back(percent());
    out.interval = duration();
    out.settle = duration();
    if (flag()) out.evidence = evidence();
    out.intervals_per_step = int32();
    out.min_requests = int64();
    out.min_success_rate = static_cast<double>(below(1000001)) / 1000000;
    out.max_failures = int32();
    out.no_evidence_deadline = duration();
    out.step_deadline = duration();
    if (flag()) more_of(out);
    out.unknown = unknown();
    return out;
  }

  std::vector<NamedMatch> named_matches() {
    std::vector<NamedMatch> out;
    for (std::uint64_t i = below(3); i > 0; --i) {
      const auto kind = static_cast<MatchKind>(below(5));
      out.push_back({text(), kind, kind == MatchKind::kPresent ? "" : text()});
    }
    return out;
  }

  std::vector<std::string> texts() {
    std::vector<std::string> out;
    for (std::uint64_t i = below(3); i > 0; --i) out.push_back(text());
    return out;
  }

  void more_of(CanaryPolicy& out) {
    for (std::uint64_t i = below(3); i > 0; --i) out.also.push_back({text(), text(), text()});
    out.strategy = static_cast<CanaryStrategy>(below(3));
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.match.push_back({named_matches(), named_matches(), named_matches(), text(), texts()});
    }
    if (flag()) out.affinity = SessionAffinity{text(), duration(), percent()};
    out.initial_delay = duration();
    out.mode = static_cast<CanaryMode>(below(5));
    for (std::uint64_t i = below(3); i > 0; --i) {
      MetricLimit limit;
      limit.name = text();
      limit.query = text();
      if (flag()) limit.min = share();
      if (flag()) limit.max = share();
      limit.weight = share();
      limit.critical = flag();
      limit.observe_only = flag();
      out.metrics.push_back(limit);
    }
    out.pass_score = share();
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.gates.push_back(
          {text(), static_cast<GateAt>(below(3)), text(), duration(), static_cast<GateDeadline>(below(2))});
    }
    out.min_passing = int32();
    out.version_meta = text();
    out.promotion = static_cast<Promotion>(below(2));
    for (std::uint64_t i = below(3); i > 0; --i) out.return_steps.push_back(percent());
    out.bake = duration();
    out.on_new_revision = static_cast<NewRevision>(below(3));
    out.on_foreign_edit = static_cast<ForeignEdit>(below(3));
  }

  double share() { return static_cast<double>(below(1000001)) / 1000000; }
  std::vector<double> shares() {
    std::vector<double> out;
    for (std::uint64_t i = below(5); i > 0; --i) out.push_back(share());
    return out;
  }

  EvidencePolicy evidence() {
    EvidencePolicy out;
    out.analysis.alpha = share();
    out.analysis.rho0 = share();
    if (flag()) out.analysis.margin = share();
    if (flag()) out.analysis.phi = share();
    out.analysis.warm_up = {int64(), share(), share()};
    out.analysis.bounds = shares();
    out.analysis.choose_bounds = flag();
    out.analysis.target = duration();
    out.ramp.dwell = duration();
    out.ramp.max_time = duration();
    out.ramp.on_deadline = static_cast<OnDeadline>(below(3));
    out.ramp.absolute_risk = share();
    return out;
  }

  // What was never staked is minus infinity.
  MetricEvidence metric() {
    MetricEvidence out;
    out.worse = {share(), -std::numeric_limits<double>::infinity(), share()};
    out.fine = shares();
    out.fine_at = int64();
    out.canary = share();
    out.squares_before = share();
    out.phi = share();
    return out;
  }

  AnalysisState analysis_state() {
    AnalysisState out;
    if (flag()) out.plan = AnalysisPlan{share(), {{int64(), share(), flag()}}};
    out.intervals = int64();
    out.two_instances = flag();
    out.canary_requests = share();
    out.errors = metric();
    for (std::uint64_t i = below(3); i > 0; --i) out.latency.push_back(metric());
    out.upper_a = shares();
    out.lower_g = shares();
    out.max_log_w = share();
    out.refused_in_row = int64();
    out.refusal = text();
    return out;
  }

  CanaryState canary_state() {
    CanaryState out;
    out.rollout = text();
    out.revision = text();
    out.policy = policy();
    out.phase = static_cast<CanaryPhase>(below(11));
    out.paused = flag();
    out.step = int32();
    out.weight = percent();
    out.epoch = int64();
    out.good = int32();
    out.failures = int32();
    out.broken = int32();
    out.routed = flag();
    out.gives_cookie = flag();
    out.lost_stable = flag();
    out.held = flag();
    if (flag()) out.gate = GateWait{text(), time(), time()};
    out.opened = texts();
    for (std::uint64_t i = below(3); i > 0; --i) out.windows.push_back({share(), share()});
    if (flag()) out.analysis = analysis_state();
    if (flag()) out.queued = QueuedRollout{text(), text(), text(), policy()};
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.past.push_back({text(), text(), static_cast<CanaryPhase>(below(11)), time(), time(), text()});
    }
    out.started_at = time();
    out.step_started_at = time();
    out.evidence_at = time();
    if (flag()) out.deadline = time();
    out.last_event_at = time();
    out.next_effect = int64();
    for (std::uint64_t i = below(3); i > 0; --i) out.outbox.push_back(effect());
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.history.push_back({time(), static_cast<CanaryPhase>(below(11)), static_cast<CanaryReason>(below(34)),
                             percent(), int64(), int64(), int64(), int64(), text()});
    }
    out.unknown = unknown();
    return out;
  }

  Measurement measurement() {
    Measurement out;
    out.epoch = int64();
    out.kind = static_cast<EvidenceKind>(below(3));
    out.stable = {int64(), int64()};
    out.candidate = {int64(), int64()};
    out.stable_buckets = shares();
    out.candidate_buckets = shares();
    for (std::uint64_t i = below(3); i > 0; --i) out.stable_instances.push_back({share(), share(), shares()});
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.metrics.push_back({text(), static_cast<EvidenceKind>(below(3)), share(), text()});
    }
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.also.push_back({text(), {int64(), int64()}, {int64(), int64()}});
    }
    out.problem = text();
    return out;
  }

  CanaryEvent event() {
    CanaryEvent out;
    out.at = time();
    switch (below(7)) {
      case 0:
        break;
      case 1:
        out.body = StartRollout{text(), text(), text()};
        break;
      case 2:
        out.body = measurement();
        break;
      case 3:
        out.body = EffectDone{text(), static_cast<WriteOutcome>(below(3)), text()};
        break;
      case 4:
        out.body = CandidateHealth{int32(), int32(), flag() ? std::optional(int32()) : std::nullopt, text()};
        break;
      case 5:
        out.body = GateAnswer{text(), flag(), text()};
        break;
      default:
        out.body = Command{static_cast<CanaryVerb>(below(6)), text(), text()};
        break;
    }
    return out;
  }

  CanaryStep canary_step() {
    CanaryStep out;
    out.state = canary_state();
    for (std::uint64_t i = below(3); i > 0; --i) out.effects.push_back(effect());
    return out;
  }

  RouteResult route_result() {
    RouteResult out;
    out.route = int32();
    if (flag()) out.destination = destination();
    out.retry = {uint32(), flag(), codes(), text_list()};
    out.path = text();
    for (std::uint64_t i = below(3); i > 0; --i) {
      RouteLeg leg{percent(), percent(), text(), text_list(), duration(), duration(), load_balancer()};
      leg.request_headers = headers();
      leg.response_headers = headers();
      if (flag()) leg.health = TargetHealth{flag(), below(9), below(9)};
      if (leg.health) leg.serving = text();
      out.legs.push_back(std::move(leg));
    }
    out.why = text_list();
    return out;
  }

  // Any text, often empty, with what needs care in JSON.
  std::string text() {
    static constexpr const char* kPieces[] = {
        "a", "Web-1", "/", "~", "\"", "\\", "\n", "\x01", "\xC3\xA9", "\xF0\x9F\x98\x80", " ", "%"};
    std::string out;
    for (std::uint64_t i = below(5); i > 0; --i) out += kPieces[below(std::size(kPieces))];
    return out;
  }

  std::int32_t int32() { return static_cast<std::int32_t>(static_cast<std::uint32_t>(bits())); }
  std::int64_t int64() { return static_cast<std::int64_t>(bits()); }
  std::uint32_t uint32() { return static_cast<std::uint32_t>(bits()); }
  std::uint64_t index() { return bits(); }
  bool flag() { return chance(2); }
  Duration duration() { return Duration(int64()); }
  Time time() { return Time(Duration(int64())); }
  std::int32_t percent() { return static_cast<std::int32_t>(below(40001)) - 20000; }

  std::vector<std::string> text_list() {
    std::vector<std::string> out;
    for (std::uint64_t i = below(4); i > 0; --i) out.push_back(text());
    return out;
  }

  std::map<std::string, std::string> text_map() {
    std::map<std::string, std::string> out;
    for (std::uint64_t i = below(4); i > 0; --i) out[text()] = text();
    return out;
  }

  // Members that no version of ours or Consul's has.
  Json::Object unknown() {
    Json::Object out;
    for (std::uint64_t i = chance(3) ? below(4) : 0; i > 0; --i) out.push_back({"zz" + std::to_string(i), json(3)});
    return out;
  }

 private:
  // Small numbers, large ones and zero, all often.
  std::uint64_t bits() { return chance(4) ? 0 : random_() >> below(64); }

  Json json(int depth) {
    switch (below(depth > 0 ? 7 : 5)) {
      case 0:
        return Json();
      case 1:
        return Json(flag());
      case 2:
        return Json(int64());
      case 3:
        return Json(static_cast<double>(below(100000)) / 64);
      case 4:
        return Json(text());
      case 5: {
        Json::Array out;
        for (std::uint64_t i = below(4); i > 0; --i) out.push_back(json(depth - 1));
        return Json(std::move(out));
      }
      default: {
        Json::Object out;
        for (std::uint64_t i = below(4); i > 0; --i) out.push_back({"k" + std::to_string(i), json(depth - 1)});
        return Json(std::move(out));
      }
    }
  }

  // Numbers as the server's doubles print, no lists of one.
  Json free_config() {
    Json out = Json::Object{};
    for (std::uint64_t i = below(4); i > 0; --i) {
      const std::string name = "c" + std::to_string(i);
      switch (below(4)) {
        case 0:
          out.set(name, static_cast<int>(below(100000)));
          break;
        case 1:
          out.set(name, text());
          break;
        case 2:
          out.set(name, Json::Array{1, Json::Array{2}, "x"});
          break;
        default:
          out.set(name, Json().set("n", Json::Array{Json().set("deep", 0.25)}));
          break;
      }
    }
    return out;
  }

  Json expose() {
    Json out;
    if (flag()) out.set("Checks", true);
    Json::Array paths;
    for (std::uint64_t i = below(3); i > 0; --i) {
      paths.push_back(Json()
                          .set("ListenerPort", 1 + static_cast<int>(below(100)))
                          .set("Path", "/x")
                          .set("ParsedFromCheck", flag()));
    }
    if (!paths.empty()) out.set("Paths", std::move(paths));
    return out;
  }

  // An entry's own, then those of MeshGateway and Expose: the order in which they are read.
  Json::Object scattered_unknown(const Json& exposed) {
    Json::Object out = unknown();
    if (chance(4)) out.push_back({"MeshGateway.zz", json(1)});
    if (exposed.find("Paths") && chance(3)) out.push_back({"Expose.Paths[0].zz", json(1)});
    if (chance(4)) out.push_back({"Expose.zz", json(1)});
    return out;
  }

  std::optional<HeaderModifiers> headers() {
    if (flag()) return std::nullopt;
    return HeaderModifiers{text_map(), text_map(), text_list(), unknown()};
  }
  std::optional<TransparentProxy> transparent_proxy() {
    if (flag()) return std::nullopt;
    return TransparentProxy{static_cast<std::int64_t>(below(70000)), flag(), unknown()};
  }
  std::optional<FailoverPolicy> failover_policy() {
    if (flag()) return std::nullopt;
    return FailoverPolicy{text(), text_list(), unknown()};
  }
  std::optional<LocalityPriority> locality_priority() {
    if (flag()) return std::nullopt;
    return LocalityPriority{text(), unknown()};
  }
  Json::Array extensions() {
    Json::Array out;
    for (std::uint64_t i = below(3); i > 0; --i) out.push_back(Json().set("Name", text()));
    return out;
  }
  std::optional<LoadBalancer> load_balancer() {
    if (flag()) return std::nullopt;
    LoadBalancer out;
    out.policy = text();
    if (flag()) out.ring_hash = RingHashConfig{below(9), below(9), unknown()};
    if (flag()) out.least_request = LeastRequestConfig{uint32(), unknown()};
    for (std::uint64_t i = below(3); i > 0; --i) {
      HashPolicy policy{text(), text(), {}, flag(), flag(), unknown()};
      if (flag()) policy.cookie_config = CookieConfig{flag(), duration(), text(), unknown()};
      out.hash_policies.push_back(std::move(policy));
    }
    out.unknown = unknown();
    return out;
  }

  ProxyDefaults proxy_defaults() {
    ProxyDefaults out;
    if (flag()) out.config = free_config();
    out.mesh_gateway_mode = text();
    out.expose = expose();
    out.mode = text();
    out.transparent_proxy = transparent_proxy();
    if (flag()) out.access_logs = free_config();
    out.envoy_extensions = extensions();
    out.failover_policy = failover_policy();
    out.prioritize_by_locality = locality_priority();
    out.mutual_tls_mode = text();
    out.unknown = scattered_unknown(out.expose);
    return out;
  }

  ServiceDefaults service_defaults() {
    ServiceDefaults out;
    out.protocol = text();
    out.mesh_gateway_mode = text();
    out.expose = expose();
    out.external_sni = text();
    out.mode = text();
    out.transparent_proxy = transparent_proxy();
    if (flag()) out.upstream_config = free_config();
    if (flag()) out.destination = free_config();
    out.max_inbound_connections = static_cast<std::int64_t>(below(3));
    out.local_connect_timeout_ms = static_cast<std::int64_t>(below(3));
    out.local_request_timeout_ms = static_cast<std::int64_t>(below(3));
    out.balance_inbound_connections = text();
    out.envoy_extensions = extensions();
    if (flag()) out.rate_limits = free_config();
    out.mutual_tls_mode = text();
    out.max_request_headers_kb = uint32();
    out.unknown = scattered_unknown(out.expose);
    return out;
  }

  std::vector<std::uint32_t> codes() {
    std::vector<std::uint32_t> out;
    for (std::uint64_t i = below(3); i > 0; --i) out.push_back(uint32());
    return out;
  }

  RouteDestination destination() {
    RouteDestination out{text(), text(), text(), text(), duration(), uint32(), flag(), codes(), text(), duration()};
    out.retry_on = text_list();
    out.request_headers = headers();
    out.response_headers = headers();
    out.unknown = unknown();
    return out;
  }

  HttpMatch http_match() {
    HttpMatch out;
    out.path_exact = text();
    out.path_prefix = text();
    out.path_regex = text();
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.header.push_back({text(), flag(), text(), text(), text(), text(), flag(), unknown()});
    }
    for (std::uint64_t i = below(3); i > 0; --i) out.query_param.push_back({text(), flag(), text(), text(), unknown()});
    out.methods = text_list();
    out.case_insensitive = flag();
    out.unknown = unknown();
    return out;
  }

  Route route() {
    Route out;
    if (flag()) {
      out.match.emplace();
      if (flag()) out.match->http = http_match();
      out.match->unknown = unknown();
    }
    if (flag()) out.destination = destination();
    out.unknown = unknown();
    return out;
  }

  ServiceRouter router() {
    ServiceRouter out;
    for (std::uint64_t i = below(4); i > 0; --i) out.routes.push_back(route());
    out.empty_routes = out.routes.empty() && flag();
    out.unknown = unknown();
    return out;
  }

  Split split() {
    Split out{percent(), text(), text(), text(), text(), headers(), headers()};
    out.unknown = unknown();
    return out;
  }

  ServiceSplitter splitter() {
    ServiceSplitter out;
    for (std::uint64_t i = below(4); i > 0; --i) out.splits.push_back(split());
    out.unknown = unknown();
    return out;
  }

  ResolverSubset subset() { return {text(), flag(), unknown()}; }

  ServiceResolver resolver() {
    ServiceResolver out;
    out.default_subset = text();
    for (std::uint64_t i = below(3); i > 0; --i) out.subsets[text()] = subset();
    if (flag()) {
      out.redirect = ResolverRedirect{text(), text(), text(), text(), text(), text(), text()};
      out.redirect->unknown = unknown();
    }
    for (std::uint64_t i = below(3); i > 0; --i) {
      ResolverFailover section{text(), text(), text(), text_list()};
      for (std::uint64_t j = below(3); j > 0; --j) {
        section.targets.push_back({text(), text(), text(), text(), text(), text(), unknown()});
      }
      section.policy = failover_policy();
      section.sameness_group = text();
      section.unknown = unknown();
      out.failover[text()] = std::move(section);
    }
    out.connect_timeout = duration();
    out.request_timeout = duration();
    out.load_balancer = load_balancer();
    out.prioritize_by_locality = locality_priority();
    out.unknown = unknown();
    return out;
  }

  // In the order of their keys: a resolver for some of the targets, then routers, then splitters; one at least.
  void make_nodes(DiscoveryChain& out) {
    const bool current = out.dialect == Dialect::kCurrent;
    std::set<std::string> routers;
    std::set<std::string> splitters = {text()};
    for (std::uint64_t i = below(3); i > 0; --i) routers.insert(text());
    for (std::uint64_t i = below(3); i > 0; --i) splitters.insert(text());
    for (TargetNumber target = 0; target < out.targets.size(); ++target) {
      if (flag()) out.nodes.push_back({"", resolver_node(target, out.targets.size(), current)});
    }
    for (const std::string& name : routers) out.nodes.push_back({name, RouterNode{}});
    for (const std::string& name : splitters) out.nodes.push_back({name, SplitterNode{}});
    const auto any = [&] { return static_cast<NodeNumber>(below(out.nodes.size())); };
    out.start_node = any();
    for (ChainNode& node : out.nodes) {
      if (auto* router = std::get_if<RouterNode>(&node.body)) {
        for (std::uint64_t i = below(4); i > 0; --i) router->routes.push_back({route(), any()});
      } else if (auto* splitter_node = std::get_if<SplitterNode>(&node.body)) {
        for (std::uint64_t i = below(4); i > 0; --i) {
          splitter_node->splits.push_back({percent(), any(), {}});
          if (current) splitter_node->splits.back().definition = split();
        }
        if (current) splitter_node->load_balancer = load_balancer();
      }
    }
  }

  ResolverNode resolver_node(TargetNumber target, std::size_t targets, bool current) {
    ResolverNode out{duration(), flag(), target, {}};
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.failover_targets.push_back(static_cast<TargetNumber>(below(targets)));
    }
    if (!current) return out;
    out.request_timeout = duration();
    out.load_balancer = load_balancer();
    if (!out.failover_targets.empty()) out.failover_policy = failover_policy();
    return out;
  }

  HealthCheck check_of(const std::string& id, const std::string& node_name, const std::string& service_id) {
    HealthCheck out = check();
    out.id = id;
    out.node = node_name;
    out.service_id = service_id;
    return out;
  }

  ServiceState service_state(const std::string& name, const std::vector<std::string>& nodes) {
    std::map<InstanceId, InstanceState> instances;
    for (std::uint64_t i = nodes.empty() ? 0 : below(4); i > 0; --i) {
      InstanceState state;
      state.instance = instance();
      state.instance.node = nodes[below(nodes.size())];
      const std::string service_id = state.instance.id.empty() ? "id" : state.instance.id;
      state.instance.id = service_id;
      for (std::uint64_t j = below(3); j > 0; --j) {
        state.checks.push_back(check_of("service-" + std::to_string(3 - j), state.instance.node, service_id));
      }
      instances[{state.instance.node, service_id}] = state;
    }
    ServiceState out{name, {}};
    for (auto& [id, state] : instances) out.instances.push_back(state);
    return out;
  }

  StepBody step_body(bool of_entry) {
    if (chance(3)) return {};
    if (of_entry) return entry();
    ServiceRegistration out;
    out.instance = instance();
    out.instance.node = text();
    for (std::uint64_t i = below(3); i > 0; --i) out.checks.push_back(check());
    out.remove_checks = text_list();
    return out;
  }

  Step step() {
    Step out;
    out.id = text();
    out.action = static_cast<Action>(below(5));
    const bool of_entry = out.action == Action::kPutEntry || out.action == Action::kDeleteEntry;
    if (of_entry) {
      out.entry = {text(), text()};
    } else {
      out.instance = {text(), text()};
      out.service = text();
    }
    out.reason = static_cast<Reason>(below(11));
    out.why = text();
    out.needs = text_list();
    out.cas_index = index();
    out.cas_from = text();
    out.body = step_body(of_entry);
    out.before = step_body(of_entry);
    return out;
  }

  Effect effect() {
    switch (below(5)) {
      case 0:
        return {text(), WriteWeights{percent(), percent(), flag(), flag()}};
      case 1:
        return {text(), Measure{int64(), time(), time()}};
      case 2:
        return {text(), AskGate{text(), text(), time()}};
      case 3:
        return {text(), CopyToStable{text()}};
      default:
        return {text(), WakeAt{time()}};
    }
  }

  std::mt19937_64 random_;
};

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_CODEC_VALUE_GENERATOR_H_
