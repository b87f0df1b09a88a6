#include "lib/driver/agent_reads.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "convergence/codec.h"
#include "convergence/environment_manager.h"
#include "convergence/error.h"
#include "convergence/operate.h"
#include "lib/base/fnv.h"
#include "lib/driver/gather.h"
#include "lib/driver/kv_trees.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

constexpr Duration kFirstLook = std::chrono::seconds(1);  // at records that are not there yet; doubled each time
constexpr Duration kLongestLook = std::chrono::seconds(30);
constexpr Duration kLockPause = std::chrono::seconds(15);

std::map<std::string, KvPair> by_key(const std::vector<KvPair>& pairs) {
  std::map<std::string, KvPair> map;
  for (const KvPair& pair : pairs) map[pair.key] = pair;
  return map;
}

// What every form of the watch shares: a blocking read of one prefix.
class PrefixWatch : public DesiredWatch {
 public:
  PrefixWatch(ConsulClient& client, DesiredSource source, std::function<void(DesiredSeen)> on_change)
      : client_(client), source_(std::move(source)), on_change_(std::move(on_change)) {}
  void stop() override {
    watch_.reset();
    on_change_ = nullptr;
  }

 protected:
  void watch(const std::string& prefix) {
    using Pairs = std::vector<KvPair>;
    watch_ = Watch::start<Pairs>(
        client_.executor(),
        [&client = client_, prefix](std::uint64_t index, ConsulClient::Callback<Answer<Pairs>> done) {
          // A server that has just begun answers other reads before it has all of its state again: with less than was
          // wanted, and with what was wanted once.
          ReadOptions options = latest();
          options.wait_index = index;
          client.kv_recurse(prefix, options, std::move(done));
        },
        [this](const absl::StatusOr<Answer<Pairs>>& answer) {
          if (answer.ok()) seen(answer->value);
        });
  }
  virtual void seen(const std::vector<KvPair>& pairs) = 0;

  ConsulClient& client_;
  const DesiredSource source_;
  std::function<void(DesiredSeen)> on_change_;

 private:
  std::unique_ptr<Watch> watch_;
};

// ---- our own documents -------------------------------------------------------------------------------------------

class OwnWatch final : public PrefixWatch {
 public:
  using PrefixWatch::PrefixWatch;
  void start() { watch(fmt::format("{}/desired/{}/", source_.prefix, source_.role)); }

 private:
  void seen(const std::vector<KvPair>& pairs) override {
    DesiredSeen out;
    // One by one, so that a document which cannot be read is known by the service it speaks of.
    for (const KvPair& pair : pairs) {
      absl::StatusOr<DesiredRead> read = desired_from_kv({pair}, source_.prefix);
      if (!read.ok() || !read->broken.empty()) {
        out.torn.push_back(id_in(pair.key));
        continue;
      }
      const auto here = services_on(read->desired.services, source_.node);
      if (!here.ok()) {
        out.torn.push_back(id_in(pair.key));
      } else {
        out.services.insert(out.services.end(), here->begin(), here->end());
      }
    }
    on_change_(std::move(out));
  }

  // "P/desired/<role>/<service>/<slice>" -> the id of its instances.
  static std::string id_in(const std::string& key) {
    const std::size_t slice = key.rfind('/');
    const std::size_t name = slice == 0 || slice == std::string::npos ? std::string::npos : key.rfind('/', slice - 1);
    if (name == std::string::npos) return key;
    DesiredService service;
    service.name = key.substr(name + 1, slice - name - 1);
    if (key.substr(slice + 1) == to_string(Slice::kBlue)) service.slice = Slice::kBlue;
    if (key.substr(slice + 1) == to_string(Slice::kGreen)) service.slice = Slice::kGreen;
    return service_id(service);
  }
};

// ---- Environment Manager's ---------------------------------------------------------------------------------------

class EnvironmentWatch final : public PrefixWatch {
 public:
  using PrefixWatch::PrefixWatch;
  ~EnvironmentWatch() override { cancel(); }
  void start() { watch(role_prefix(role())); }
  void stop() override {
    PrefixWatch::stop();
    cancel();
  }

 private:
  EnvironmentRole role() const { return {source_.environment, source_.role}; }

  void cancel() {
    if (timer_) client_.executor().cancel(*timer_);
    timer_.reset();
    ++round_;  // answers of earlier rounds are nobody's
  }

  void seen(const std::vector<KvPair>& pairs) override {
    cancel();
    pause_ = kFirstLook;
    records_ = by_key(pairs);
    read_versions();
  }

  // One request for 64 of the keys that the records need.
  void read_versions() {
    const std::uint64_t round = ++round_;
    auto kv = std::make_shared<KvByKey>(records_);
    read_trees(client_, environment_keys(records_, role()), kv,
               [this, alive = std::weak_ptr<int>(alive_), round, kv](const absl::Status& status) {
                 if (alive.expired() || round != round_ || !on_change_) return;
                 tell(status, *kv);
               });
  }

  void tell(const absl::Status& status, const std::map<std::string, KvPair>& kv) {
    if (!status.ok()) return look_again();
    EnvironmentRead read = import_environment(kv, role());
    DesiredSeen out;
    out.services = std::move(read.services);
    for (const auto* list : {&read.waiting, &read.broken}) {
      for (const UnreadService& one : *list) out.torn.push_back(one.service_id);
    }
    const bool wait = !read.waiting.empty();
    on_change_(std::move(out));
    if (wait && on_change_) look_again();
  }

  void look_again() {
    const Duration pause = pause_;
    pause_ = std::min(pause_ * 2, kLongestLook);
    timer_ = client_.executor().post_at(client_.executor().now() + pause, [this, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      timer_.reset();
      read_versions();
    });
  }

  std::map<std::string, KvPair> records_;
  std::optional<Executor::TimerId> timer_;
  Duration pause_ = kFirstLook;
  std::uint64_t round_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace

void read_own_node(ConsulClient& client, ConsulClient::Callback<Node> done) {
  client.agent_self([done = std::move(done)](const absl::StatusOr<Json>& self) {
    if (!self.ok()) return done(self.status());
    Node node;
    auto text = [&](const char* part, const char* member) -> std::string {
      const Json* object = self->find(part);
      const Json* value = object ? object->find(member) : nullptr;
      return value && value->as_string() ? *value->as_string() : "";
    };
    node.name = text("Config", "NodeName");
    node.id = text("Config", "NodeID");
    node.datacenter = text("Config", "Datacenter");
    node.address = text("Member", "Addr");
    const Json* meta = self->find("Meta");
    if (meta && meta->as_object()) {
      for (const Json::Member& member : *meta->as_object()) {
        if (member.value.as_string()) node.meta[member.name] = *member.value.as_string();
      }
    }
    if (node.name.empty()) return done(make_error(ErrorKind::kProtocol, "/v1/agent/self names no node"));
    done(std::move(node));
  });
}

std::unique_ptr<DesiredWatch> watch_desired_of(ConsulClient& client, DesiredSource source,
                                               std::function<void(DesiredSeen)> on_change) {
  if (source.environment.empty()) {
    auto watch = std::make_unique<OwnWatch>(client, std::move(source), std::move(on_change));
    watch->start();
    return watch;
  }
  auto watch = std::make_unique<EnvironmentWatch>(client, std::move(source), std::move(on_change));
  watch->start();
  return watch;
}

Duration part_of(Duration spread, std::string_view node) {
  if (spread <= Duration::zero()) return Duration::zero();
  return Duration(static_cast<std::int64_t>(fnv1a(node) % static_cast<std::uint64_t>(spread.count())));
}

// ---- locks -------------------------------------------------------------------------------------------------------

// Of a folder without keys the server knows no index but that of its whole KV, so that a blocking read of it ends with
// whatever is written anywhere. Ten thousand agents that asked again at once would be a thousand requests for each
// report of one of them: after an answer in vain a reader pauses.
struct LockWatch::Folder {
  using Pairs = std::vector<KvPair>;
  using Done = ConsulClient::Callback<Answer<Pairs>>;

  ConsulClient& client;
  std::string name{};
  Duration pause{};
  int vain = 0;  // answers without keys, one after the other

  static void read(const std::shared_ptr<Folder>& folder, std::uint64_t index, Done done) {
    if (index == 0 || folder->vain < 2) return ask(folder, index, std::move(done));
    Executor& executor = folder->client.executor();
    executor.post_at(executor.now() + folder->pause,
                     [weak = std::weak_ptr<Folder>(folder), index, done = std::move(done)]() mutable {
                       if (auto self = weak.lock()) ask(self, index, std::move(done));
                     });
  }
  static void ask(const std::shared_ptr<Folder>& folder, std::uint64_t index, Done done) {
    ReadOptions options = latest();
    options.wait_index = index;
    folder->client.kv_recurse(folder->name, options,
                              [weak = std::weak_ptr<Folder>(folder), done = std::move(done)](const auto& answer) {
                                const bool empty = answer.ok() && answer->value.empty();
                                if (auto self = weak.lock()) self->vain = empty ? self->vain + 1 : 0;
                                done(answer);
                              });
  }
};

LockWatch::LockWatch(ConsulClient& client, const DesiredSource& source, std::function<void(std::string)> on_change)
    : folder_(new Folder{client, source.prefix + "/locks/", kLockPause / 2 + part_of(kLockPause, source.node.name)}) {
  using Pairs = Folder::Pairs;
  watch_ = Watch::start<Pairs>(
      client.executor(),
      [weak = std::weak_ptr<Folder>(folder_)](std::uint64_t index, Folder::Done done) {
        if (auto folder = weak.lock()) Folder::read(folder, index, std::move(done));
      },
      [source, on_change = std::move(on_change)](const absl::StatusOr<Answer<Pairs>>& answer) {
        if (answer.ok()) {
          on_change(locked_for(locks_from_kv(answer->value, source.prefix), source.role, source.node.name));
        } else if (error_kind(answer.status()) == ErrorKind::kDenied) {
          on_change(fmt::format("locks cannot be read: {}", std::string(answer.status().message())));
        }
      });
}

// ---- a fleet -----------------------------------------------------------------------------------------------------

namespace {

struct FleetRead {
  CatalogState catalog{};
  std::vector<HealthRow> rows{};
  std::map<std::string, std::vector<HealthCheck>> checks{};  // of nodes, by node
  std::map<std::string, std::string> failed{};
};

absl::StatusOr<ServiceFleet> put_together(const DesiredService& service, FleetRead& read) {
  for (auto& [name, node] : read.catalog.nodes) {
    auto found = read.checks.find(name);
    if (found != read.checks.end()) node = NodeState{node->node, found->second};
  }
  ServiceState state;
  state.name = service_name(service);
  for (const HealthRow& row : read.rows) {
    InstanceState& instance = state.instances.emplace_back();
    instance.instance = row.instance;
    for (const HealthCheck& check : row.checks) {
      if (!check.service_id.empty()) instance.checks.push_back(check);
    }
  }
  std::ranges::sort(state.instances, {}, [](const InstanceState& one) {
    return InstanceId{one.instance.node, one.instance.id};
  });
  read.catalog.services[service_name(service)] = std::move(state);
  return fleet_of(service, read.catalog, read.failed);
}

}  // namespace

void read_fleet(ConsulClient& client, const std::string& prefix, const DesiredService& service,
                ConsulClient::Callback<ServiceFleet> done) {
  auto read = std::make_shared<FleetRead>();
  auto gather = std::make_shared<Gather>();
  ReadOptions of_role = latest();
  of_role.filter = fmt::format("Meta.role == \"{}\"", service.placement.role);
  gather->add([&client, read, of_role](Gather::Done next) {
    client.catalog_nodes(of_role, [read, next = std::move(next)](const auto& nodes) {
      if (!nodes.ok()) return next(nodes.status());
      for (const Node& node : nodes->value) read->catalog.nodes[node.name] = NodeState{node, {}};
      next(absl::OkStatus());
    });
  });
  gather->add([&client, read, name = service_name(service)](Gather::Done next) {
    client.health_service(name, latest(), [read, next = std::move(next)](const auto& rows) {
      if (rows.ok()) read->rows = rows->value;
      next(rows.status());
    });
  });
  // Of nodes, what is critical is enough to know the lost ones.
  gather->add([&client, read](Gather::Done next) {
    client.health_state("critical", latest(), [read, next = std::move(next)](const auto& checks) {
      if (!checks.ok()) return next(checks.status());
      for (const HealthCheck& check : checks->value) {
        if (check.service_id.empty()) read->checks[check.node].push_back(check);
      }
      next(absl::OkStatus());
    });
  });
  gather->add([&client, read, folder = deployment_folder(prefix, service) + "nodes/"](Gather::Done next) {
    client.kv_recurse(folder, latest(), [read, folder, next = std::move(next)](const auto& pairs) {
      if (!pairs.ok()) return next(pairs.status());
      for (const KvPair& pair : pairs->value) {
        const absl::StatusOr<NodeReport> report = parse<NodeReport>(pair.value, pair.key);
        if (!report.ok() || report->status != NodeStatus::kFailed) continue;
        read->failed[pair.key.substr(folder.size())] = report->reason;
      }
      next(absl::OkStatus());
    });
  });
  gather->run([read, gather, service, done = std::move(done)](const absl::Status& status) {
    if (!status.ok()) return done(status);
    done(put_together(service, *read));
  });
}

void write_desired(ConsulClient& client, const std::string& prefix, const DesiredService& service,
                   ConsulClient::Callback<bool> done) {
  DesiredState one;
  one.services = {service};
  const std::vector<KvPair> pairs = desired_to_kv(one, prefix);
  ConsulClient::KvPut put;
  put.key = pairs.front().key;
  put.value = pairs.front().value;
  put.cas = service.modify_index;
  client.kv_put(put, {}, std::move(done));
}

// ---- reports -----------------------------------------------------------------------------------------------------

Time whole_microseconds(Time time) {
  return Time(std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()));
}

std::string report_key(const DesiredSource& source, const std::string& instance, const ReportNode& said) {
  if (!source.environment.empty()) return node_report_key(said.deployment, instance);
  return fmt::format("{}nodes/{}", deployment_folder(source.prefix, source.role, said.service_id, said.deployment),
                     source.node.name);
}

void put_report(ConsulClient& client, const DesiredSource& source, const std::string& instance, const ReportNode& said,
                std::vector<std::string> log_tail, ConsulClient::Done done) {
  NodeReport report;
  report.start = whole_microseconds(said.started);
  if (said.finished) report.end = whole_microseconds(said.ended);
  report.status = !said.finished   ? NodeStatus::kInProgress
                  : said.succeeded ? NodeStatus::kSuccess
                                   : NodeStatus::kFailed;
  report.last_completed_stage = said.finished && said.succeeded ? "Complete"
                                : said.finished                 ? std::string(to_string(said.stage))
                                                                : "";
  report.attempts = said.attempts;
  report.service = said.service_id;
  report.version = said.version;
  if (!said.finished) report.stage = std::string(to_string(said.stage));
  report.reason = said.why;
  report.log_tail = std::move(log_tail);
  report.updated = whole_microseconds(client.executor().now());
  if (!source.environment.empty() && instance != source.node.name) report.node = source.node.name;
  ConsulClient::KvPut put;
  put.key = report_key(source, instance, said);
  put.value = to_text(to_json(report));
  client.kv_put(put, {}, [done = std::move(done)](const absl::StatusOr<bool>& written) { done(written.status()); });
}

}  // namespace convergence
