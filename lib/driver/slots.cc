#include "lib/driver/slots.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "convergence/deployment.h"
#include "convergence/error.h"
#include "lib/driver/gather.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

// More nodes than that with a check of their own that does not pass are not asked one by one.
constexpr std::size_t kFewNodes = 32;

// What a try was decided on.
struct Standing {
  ServiceFleet fleet{};                          // one node an instance
  bool whole = false;                            // else only the instances that do not pass, and our own
  std::map<std::string, std::string> holders{};  // slot with a session -> node
};

// Taken out of traffic on purpose: no instance of those that the budget is for, so that it stops nobody else.
bool in_standby(const HealthRow& row) {
  return std::ranges::any_of(row.checks, [](const HealthCheck& check) {
    return takes_out_of_traffic(check.id) && check.status != CheckStatus::kPassing;
  });
}

FleetNode instance_on(const std::string& node, CheckStatus status) {
  FleetNode out;
  out.name = node;
  out.deployment = "?";
  out.status = status;
  return out;
}

bool passes(const FleetNode& node) { return node.status == CheckStatus::kPassing; }

// All slots are taken by others, however many instances there are.
bool is_full(const std::map<std::string, std::string>& holders, const Strategy& strategy, const std::string& self) {
  const auto others = std::ranges::count_if(holders, [&](const auto& holder) { return holder.second != self; });
  return others >= std::max(1, strategy.max_unavailable);
}

// Why no slot may be taken (or kept) by `self`; empty when one may.
std::string refusal(const Standing& standing, const Strategy& strategy, const std::string& self) {
  std::vector<std::string> reasons;
  std::set<std::string> holders;
  for (const auto& [slot, node] : standing.holders) {
    if (node == self) continue;
    holders.insert(node);
    reasons.push_back(node + " has a slot");
  }
  std::int32_t used = static_cast<std::int32_t>(holders.size());
  std::int32_t slots = standing.whole ? slots_of(strategy, standing.fleet) : strategy.max_unavailable;
  auto own = std::ranges::find(standing.fleet.nodes, self, &FleetNode::name);
  if (own == standing.fleet.nodes.end() || !passes(*own)) {
    // What is down already, or not even registered, makes nothing worse; one at a time it still is.
    slots = std::max(slots, 1);
  } else {
    for (const FleetNode& node : standing.fleet.nodes) {
      if (node.name == self || passes(node) || holders.contains(node.name)) continue;
      ++used;
      reasons.push_back(fmt::format("{} is {}", node.name, to_string(node.status)));
    }
  }
  if (slots == 0) {
    return fmt::format("{} of {} instances have to stay healthy", strategy.min_healthy, standing.fleet.nodes.size());
  }
  if (used < slots) return "";
  return fmt::format("{} instances may be down at once: {}", slots, fmt::join(reasons, ", "));
}

absl::Status conflict(const std::string& why) { return make_error(ErrorKind::kConflict, why); }

}  // namespace

struct Slots::Impl : std::enable_shared_from_this<Slots::Impl> {
  Impl(ConsulClient& consul, std::string prefix_, std::string node_, Duration ttl, Duration delay)
      : client(consul), prefix(std::move(prefix_)), node(std::move(node_)), session_ttl(ttl), lock_delay(delay) {}

  std::string session_name() const { return "convergence agent " + node; }

  struct Try {
    std::string service{};
    std::string service_id{};
    std::string folder{};
    Strategy strategy{};
    ConsulClient::Done done{};
  };

  void with_session(std::function<void(absl::Status)> next);
  void renew();
  void give_session_back();
  using Read = std::function<void(absl::StatusOr<Standing>)>;
  void read(const Try& given, Read next);
  void read_all(const Try& given, Standing standing, const Read& next);
  void read_down(const Try& given, Standing standing, const Read& next);
  void read_nodes(const Try& given, Standing standing, std::map<std::string, CheckStatus> nodes, const Read& next);
  void refuse(const Try& given, const std::string& why);
  void take(const Try& given, const Standing& standing);
  void verify(const Try& given, const std::string& slot);
  void free_slot(const std::string& slot, ConsulClient::Done done);

  ConsulClient& client;
  const std::string prefix;
  const std::string node;
  const Duration session_ttl;
  const Duration lock_delay;
  std::string session;
  std::optional<Executor::TimerId> renewal;
  std::map<std::string, std::string> held;  // service id -> key
  bool gone = false;
};

void Slots::Impl::with_session(std::function<void(absl::Status)> next) {
  if (!session.empty()) return next(absl::OkStatus());
  SessionRequest request;
  request.name = session_name();
  request.ttl = session_ttl;
  request.lock_delay = lock_delay;
  client.session_create(request, {}, [self = shared_from_this(), next](absl::StatusOr<std::string> id) {
    if (!id.ok()) return next(id.status());
    self->session = *std::move(id);
    if (self->gone) return self->give_session_back();
    self->renew();
    next(absl::OkStatus());
  });
}

void Slots::Impl::renew() {
  const Time at = client.executor().now() + session_ttl / 3;
  renewal = client.executor().post_at(at, [self = shared_from_this()] {
    self->renewal.reset();
    if (self->gone || self->session.empty()) return;
    self->client.session_renew(self->session, {}, [self](const absl::Status& status) {
      if (self->gone) return;
      if (error_kind(status) == ErrorKind::kNotFound) {
        self->session.clear();  // and all slots with it: what is down is in maintenance, which the budget counts
        self->held.clear();
        return;
      }
      self->renew();
    });
  });
}

void Slots::Impl::give_session_back() {
  if (renewal) client.executor().cancel(*renewal);
  renewal.reset();
  if (session.empty()) return;
  client.session_destroy(std::exchange(session, ""), {}, [](const absl::Status&) {});
}

void Slots::Impl::read(const Try& given, Read next) {
  client.kv_recurse(
      given.folder, latest(),
      [self = shared_from_this(), given, next = std::move(next)](absl::StatusOr<Answer<std::vector<KvPair>>> pairs) {
        if (!pairs.ok()) return next(pairs.status());
        Standing standing;
        for (const KvPair& pair : pairs->value) {
          if (pair.session.empty()) continue;
          standing.holders[pair.key.substr(given.folder.size())] = pair.value;
        }
        // Most tries of a large fleet end here, at the price of one small read.
        if (is_full(standing.holders, given.strategy, self->node)) return next(std::move(standing));
        if (given.strategy.min_healthy > 0) return self->read_all(given, std::move(standing), next);
        self->read_down(given, std::move(standing), next);
      });
}

void Slots::Impl::read_all(const Try& given, Standing standing, const Read& next) {
  client.health_service(given.service, latest(),
                        [given, standing = std::move(standing), next](const auto& rows) mutable {
                          if (!rows.ok()) return next(rows.status());
                          standing.whole = true;
                          for (const HealthRow& row : rows->value) {
                            if (row.instance.id != given.service_id || in_standby(row)) continue;
                            standing.fleet.nodes.push_back(instance_on(row.node.name, worst_status(row.checks, {})));
                          }
                          next(std::move(standing));
                        });
}

// Where no number has to stay healthy the instances that pass need not be read: what does not is found by its state.
void Slots::Impl::read_down(const Try& given, Standing standing, const Read& next) {
  auto gather = std::make_shared<Gather>();
  auto nodes = std::make_shared<std::map<std::string, CheckStatus>>();
  auto instances = std::make_shared<std::map<std::string, CheckStatus>>();
  auto standby = std::make_shared<std::set<std::string>>();
  for (const char* state : {"critical", "warning"}) {
    gather->add([this, state, given, nodes, instances, standby](Gather::Done done) {
      client.health_state(state, latest(),
                          [given, nodes, instances, standby, done = std::move(done)](const auto& checks) {
                            if (!checks.ok()) return done(checks.status());
                            for (const HealthCheck& check : checks->value) {
                              if (!check.service_id.empty() && check.service_id != given.service_id) continue;
                              if (takes_out_of_traffic(check.id)) standby->insert(check.node);
                              auto& of = *(check.service_id.empty() ? nodes : instances);
                              const auto known = of.emplace(check.node, check.status).first;
                              if (check.status == CheckStatus::kCritical) known->second = check.status;
                            }
                            done(absl::OkStatus());
                          });
    });
  }
  gather->run([self = shared_from_this(), gather, given, standing = std::move(standing), nodes, instances, standby,
               next](const absl::Status& status) mutable {
    if (!status.ok()) return next(status);
    if (nodes->size() > kFewNodes + standby->size()) return self->read_all(given, std::move(standing), next);
    for (const auto& [name, worst] : *instances) {
      nodes->erase(name);
      if (!standby->contains(name)) standing.fleet.nodes.push_back(instance_on(name, worst));
    }
    if (!instances->contains(self->node)) nodes->emplace(self->node, CheckStatus::kPassing);
    std::erase_if(*nodes, [&](const auto& one) { return standby->contains(one.first); });
    self->read_nodes(given, std::move(standing), *nodes, next);
  });
}

// Which of the nodes have an instance; it passes as the node does.
void Slots::Impl::read_nodes(const Try& given, Standing standing, std::map<std::string, CheckStatus> nodes,
                             const Read& next) {
  auto gather = std::make_shared<Gather>();
  auto read = std::make_shared<Standing>(std::move(standing));
  for (const auto& one : nodes) {
    gather->add([this, read, given, name = one.first, status = one.second](Gather::Done done) {
      client.catalog_node_services(name, latest(), [=, done = std::move(done)](const auto& services) {
        if (!services.ok()) return done(services.status());
        for (const ServiceInstance& service : services->value) {
          if (service.id == given.service_id) read->fleet.nodes.push_back(instance_on(name, status));
        }
        done(absl::OkStatus());
      });
    });
  }
  gather->run([self = shared_from_this(), gather, read, next](const absl::Status& status) {
    if (!status.ok()) return next(status);
    next(*read);
  });
}

void Slots::Impl::refuse(const Try& given, const std::string& why) {
  if (held.empty()) give_session_back();
  given.done(conflict(why));
}

void Slots::Impl::take(const Try& given, const Standing& standing) {
  std::int32_t slot = 0;
  while (standing.holders.contains(std::to_string(slot))) ++slot;
  ConsulClient::KvPut put;
  put.key = given.folder + std::to_string(slot);
  put.value = node;
  put.acquire = session;
  client.kv_put(put, {}, [self = shared_from_this(), given, key = put.key](const absl::StatusOr<bool>& taken) {
    if (!taken.ok()) return given.done(taken.status());
    // Another was faster, or the lock of one who died is not free yet.
    if (!*taken) return self->refuse(given, fmt::format("the slot {} went to another", key));
    self->held[given.service_id] = key;
    self->verify(given, key);
  });
}

// Two that took different slots at once both look again: what one has taken, the other sees by now.
void Slots::Impl::verify(const Try& given, const std::string& slot) {
  read(given, [self = shared_from_this(), given, slot](const absl::StatusOr<Standing>& standing) {
    std::string why =
        standing.ok() ? refusal(*standing, given.strategy, self->node) : std::string(standing.status().message());
    const bool ours = standing.ok() && standing->holders.contains(slot.substr(given.folder.size()));
    if (standing.ok() && why.empty() && !ours) why = "the slot was lost with its session";
    if (why.empty()) return given.done(absl::OkStatus());
    self->held.erase(given.service_id);
    self->free_slot(slot, [given, why](const absl::Status&) { given.done(conflict(why)); });
  });
}

void Slots::Impl::free_slot(const std::string& slot, ConsulClient::Done done) {
  ConsulClient::KvPut put;
  put.key = slot;
  put.value = node;
  put.release = session;
  client.kv_put(put, {}, [self = shared_from_this(), done = std::move(done)](const absl::StatusOr<bool>& freed) {
    if (self->held.empty()) self->give_session_back();
    done(freed.status());
  });
}

Slots::Slots(ConsulClient& client, std::string prefix, std::string node, Duration session_ttl, Duration lock_delay)
    : impl_(std::make_shared<Impl>(client, std::move(prefix), std::move(node), session_ttl, lock_delay)) {}

Slots::~Slots() {
  impl_->gone = true;
  impl_->give_session_back();
}

void Slots::acquire(const DesiredService& service, const std::string& service_id, const Strategy& strategy,
                    ConsulClient::Done done) {
  Impl::Try given;
  given.service = service_name(service);
  given.service_id = service_id;
  given.folder = fmt::format("{}/slots/{}/{}/", impl_->prefix, service.placement.role, service_id);
  given.strategy = strategy;
  given.done = std::move(done);
  if (impl_->held.contains(given.service_id)) return given.done(absl::OkStatus());
  impl_->read(given, [impl = impl_, given](const absl::StatusOr<Standing>& standing) {
    if (!standing.ok()) return given.done(standing.status());
    std::string why = refusal(*standing, given.strategy, impl->node);
    if (!why.empty()) return impl->refuse(given, why);
    impl->with_session([impl, given, standing = *standing](const absl::Status& status) {
      if (!status.ok()) return given.done(status);
      impl->take(given, standing);
    });
  });
}

void Slots::end_predecessor(ConsulClient::Done done) {
  impl_->client.session_list(
      {}, [impl = impl_, done = std::move(done)](const absl::StatusOr<Answer<Json::Array>>& all) {
        if (!all.ok()) return done(all.status());
        auto gather = std::make_shared<Gather>();
        for (const Json& session : all->value) {
          const Json* name = session.find("Name");
          const Json* id = session.find("ID");
          const bool ours =
              name && id && name->as_string() && id->as_string() && *name->as_string() == impl->session_name();
          if (!ours || *id->as_string() == impl->session) continue;
          gather->add([impl, ended = *id->as_string()](Gather::Done next) {
            impl->client.session_destroy(ended, {}, std::move(next));
          });
        }
        gather->run([gather, done](const absl::Status& status) { done(status); });
      });
}

void Slots::release(const std::string& service_id, ConsulClient::Done done) {
  auto found = impl_->held.find(service_id);
  if (found == impl_->held.end()) return done(absl::OkStatus());
  const std::string slot = found->second;
  impl_->held.erase(found);
  impl_->free_slot(slot, std::move(done));
}

}  // namespace convergence
