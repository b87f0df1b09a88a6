#include <optional>
#include <utility>

#include "convergence/codec.h"
#include "fmt/format.h"
#include "lib/memory/endpoint.h"
#include "lib/memory/go_json.h"
#include "lib/memory/registration.h"
#include "lib/memory/rows.h"

namespace convergence::memory {
namespace {

constexpr std::size_t kMaximalOperations = 64;
constexpr std::size_t kMaximalBytes = 512 * 1024;

enum class Target { kNone, kKv, kNode, kService, kCheck };

struct Operation {
  Target target = Target::kNone;
  std::string verb;
  KvPair pair;
  std::uint64_t index = 0;
  MemoryNode node;
  MemoryService service;
  MemoryCheck check;
};

void decode_kv(GoDecoder& decoder, const Json& json, Operation& out) {
  std::string encoded;
  decoder.object(json, "KVTxnOp", "api.KVTxnOp",
                 {{"Verb", decoder.text(out.verb)},
                  {"Key", decoder.text(out.pair.key)},
                  {"Value", decoder.text(encoded)},
                  {"Flags", decoder.count(out.pair.flags)},
                  {"Index", decoder.count(out.index)},
                  {"Session", decoder.text(out.pair.session)},
                  {"Namespace", decoder.ignored()}});
  absl::StatusOr<std::string> value = base64_decode(encoded);
  if (value.ok()) {
    out.pair.value = *std::move(value);
  } else {
    const std::size_t at =
        encoded.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n");
    decoder.fail(fmt::format("illegal base64 data at input byte {}", std::min(at, encoded.size())));
  }
}

// The first of KV, Node, Service, Check counts; a second one beside it is not looked at.
Operation decode_operation(GoDecoder& decoder, const Json& json) {
  Operation kv, node, service, check;
  decoder.object(
      json, "TxnOp", "api.TxnOp",
      {{"KV",
        [&](const Json& item) {
          kv.target = Target::kKv;
          decode_kv(decoder, item, kv);
        }},
       {"Node",
        [&](const Json& item) {
          node.target = Target::kNode;
          const auto row = [&](const Json& value) { decode_node(decoder, value, node.node); };
          decoder.object(item, "NodeTxnOp", "api.NodeTxnOp", {{"Verb", decoder.text(node.verb)}, {"Node", row}});
        }},
       {"Service",
        [&](const Json& item) {
          service.target = Target::kService;
          const auto row = [&](const Json& value) { decode_service(decoder, value, service.service); };
          decoder.object(
              item, "ServiceTxnOp", "api.ServiceTxnOp",
              {{"Verb", decoder.text(service.verb)}, {"Node", decoder.text(service.service.node)}, {"Service", row}});
        }},
       {"Check", [&](const Json& item) {
          check.target = Target::kCheck;
          const auto row = [&](const Json& value) { decode_check(decoder, value, check.check); };
          decoder.object(item, "CheckTxnOp", "api.CheckTxnOp", {{"Verb", decoder.text(check.verb)}, {"Check", row}});
        }}});
  for (Operation* one : {&kv, &node, &service, &check}) {
    if (one->target != Target::kNone) return std::move(*one);
  }
  return {};
}

bool is_kv_write(std::string_view verb) {
  return verb == "set" || verb == "cas" || verb == "delete" || verb == "delete-cas" || verb == "delete-tree" ||
         verb == "lock" || verb == "unlock";
}

bool is_write(const Operation& operation) {
  if (operation.target == Target::kNone) return false;
  return operation.target == Target::kKv ? is_kv_write(operation.verb) : operation.verb != "get";
}

// One operation on a state: what it adds to Results, and what to Errors.
class Runner {
 public:
  Runner(Store& store, bool writes) : store_(store), writes_(writes) {}

  void run(const std::vector<Operation>& operations) {
    for (std::size_t i = 0; i < operations.size(); ++i) {
      place_ = i;
      if (std::string mistake = check(operations[i]); !mistake.empty()) fail(std::move(mistake));
    }
    if (!errors_.empty()) return;
    if (writes_) store_.begin();
    for (std::size_t i = 0; i < operations.size(); ++i) {
      place_ = i;
      switch (operations[i].target) {
        case Target::kKv:
          run_kv(operations[i]);
          break;
        case Target::kNode:
          run_node(operations[i].verb, operations[i].node);
          break;
        case Target::kService:
          run_service(operations[i].verb, operations[i].service);
          break;
        case Target::kCheck:
          run_check(operations[i].verb, operations[i].check);
          break;
        case Target::kNone:
          break;
      }
    }
    if (!errors_.empty() && writes_) store_.rollback();
  }

  HttpResponse answer(const Call& call) {
    const bool failed = !errors_.empty();
    Json::Object body{{"Results", failed ? Json() : Json(std::move(results_))},
                      {"Errors", failed ? Json(std::move(errors_)) : Json()}};
    if (!writes_) {
      body.push_back({"Index", 0});
      body.push_back({"LastContact", 0});
      body.push_back({"KnownLeader", true});
      body.push_back({"ConsistencyLevel", ""});
    }
    HttpResponse out = json_answer(call, std::move(body), failed ? 409 : 200);
    if (!writes_) {
      out.headers.emplace_back("x-consul-knownleader", "true");
      out.headers.emplace_back("x-consul-lastcontact", "0");
    }
    return out;
  }

 private:
  const State& state() const { return store_.state(); }
  void fail(std::string what) {
    errors_.push_back(Json::Object{{"OpIndex", static_cast<std::uint64_t>(place_)}, {"What", std::move(what)}});
  }
  void result(const char* name, Json row) { results_.push_back(Json::Object{{name, std::move(row)}}); }

  // What the server looks at before the transaction begins.
  std::string check(const Operation& operation) const {
    if (operation.target == Target::kKv) {
      const KvPair& pair = operation.pair;
      if (pair.key.empty() && operation.verb != "delete-tree" && operation.verb != "get-tree") {
        return "Must provide key";
      }
      if (operation.verb == "lock" && kv_lock_delayed(state(), pair.key, store_.now())) {
        return fmt::format("failed to lock key \"{}\" due to lock delay", pair.key);
      }
    }
    if (!writes_) return "";
    if (operation.target == Target::kNode && operation.node.name.empty()) return "Must provide node";
    if (operation.target == Target::kService && operation.verb != "get" && operation.service.service.empty()) {
      return "Must provide service name with ID";
    }
    return "";
  }

  void run_kv(const Operation& operation) {
    const std::string& verb = operation.verb;
    const KvPair& pair = operation.pair;
    if (verb == "set" || verb == "cas" || verb == "lock" || verb == "unlock") return run_kv_set(operation);
    if (verb == "delete") {
      kv_delete(store_, pair.key);
    } else if (verb == "delete-cas") {
      if (!kv_delete_cas(store_, pair.key, operation.index)) {
        fail(fmt::format("failed to delete key \"{}\", index is stale", pair.key));
      }
    } else if (verb == "delete-tree") {
      kv_delete_tree(store_, pair.key);
    } else if (verb == "get-tree") {
      for (auto it = state().kv.lower_bound(pair.key); it != state().kv.end() && it->first.starts_with(pair.key);
           ++it) {
        result("KV", kv_row(it->second, true));
      }
    } else {
      run_kv_check(operation);
    }
  }

  void run_kv_set(const Operation& operation) {
    const std::string& verb = operation.verb;
    KvPair pair = operation.pair;
    if (verb == "lock") {
      if (std::string mistake = session_mistake(state(), pair.session); !mistake.empty()) return fail(mistake);
      if (!kv_lock(store_, pair)) return fail(fmt::format("failed to lock key \"{}\", lock is already held", pair.key));
    } else if (verb == "unlock") {
      if (pair.session.empty()) return fail("missing session");
      if (!kv_unlock(store_, pair)) {
        return fail(
            fmt::format("failed to unlock key \"{}\", lock isn't held, or is held by another session", pair.key));
      }
    } else if (verb == "cas") {
      if (!kv_set_cas(store_, pair, operation.index)) {
        return fail(fmt::format("failed to set key \"{}\", index is stale", pair.key));
      }
    } else {
      pair.session.clear();
      kv_set(store_, pair, false);
    }
    result("KV", kv_row(state().kv.at(pair.key), false));
  }

  void run_kv_check(const Operation& operation) {
    const std::string& verb = operation.verb;
    const std::string& key = operation.pair.key;
    const auto found = state().kv.find(key);
    const bool exists = found != state().kv.end();
    if (verb == "check-not-exists") {
      if (exists) fail(fmt::format("key \"{}\" exists", key));
    } else if (verb == "get") {
      if (!exists) return fail(fmt::format("key \"{}\" doesn't exist", key));
      result("KV", kv_row(found->second, true));
    } else if (verb == "check-index") {
      if (!exists) return fail(fmt::format("failed to check index, key \"{}\" doesn't exist", key));
      if (found->second.modify_index != operation.index) {
        return fail(fmt::format("failed index check for key \"{}\", current modify index {} != {}", key,
                                found->second.modify_index, operation.index));
      }
      result("KV", kv_row(found->second, false));
    } else if (verb == "check-session") {
      if (!exists) return fail(fmt::format("failed to check session, key \"{}\" doesn't exist", key));
      if (found->second.session != operation.pair.session) {
        return fail(fmt::format("failed session check for key \"{}\", current session \"{}\" != \"{}\"", key,
                                found->second.session, operation.pair.session));
      }
      result("KV", kv_row(found->second, false));
    } else {
      fail(fmt::format("unknown KV verb \"{}\"", verb));
    }
  }

  const MemoryNode* node_of(const MemoryNode& node) const {
    return node.id.empty() ? find_node(state(), node.name) : find_node_by_id(state(), node.id);
  }

  void run_node(const std::string& verb, MemoryNode node) {
    if (node.datacenter.empty()) node.datacenter = state().entries.cluster().datacenter;
    const MemoryNode* existing = node_of(node);
    const std::uint64_t current = existing == nullptr ? 0 : existing->modify_index;
    if (verb == "set" || verb == "cas") {
      if (verb == "cas" && current != node.modify_index) {
        return fail(fmt::format("failed to set node \"{}\", index is stale", node.name));
      }
      node.create_index = 0;
      node.modify_index = 0;
      if (std::string mistake = ensure_node(store_, node); !mistake.empty()) return fail(std::move(mistake));
    } else if (verb == "delete") {
      return delete_node(store_, node.name);
    } else if (verb == "delete-cas") {
      if (existing == nullptr || current != node.modify_index) {
        return fail(fmt::format("failed to delete node \"{}\", index is stale", node.name));
      }
      return delete_node(store_, node.name);
    } else if (verb != "get") {
      return fail(fmt::format("unknown Node verb \"{}\"", verb));
    }
    existing = node_of(node);
    if (existing == nullptr) return fail(fmt::format("node \"{}\" doesn't exist", node.name));
    result("Node", node_row(*existing));
  }

  void run_service(const std::string& verb, MemoryService service) {
    if (verb != "get") prepare_service(service);
    const MemoryService* existing = find_service(state(), service.node, service.id);
    const std::uint64_t current = existing == nullptr ? 0 : existing->modify_index;
    const std::string name = fmt::format("service \"{}\" on node \"{}\"", service.id, service.node);
    if (verb == "set" || verb == "cas") {
      if (verb == "cas" && current != service.modify_index)
        return fail(fmt::format("failed to set {}, index is stale", name));
      if (std::string mistake = ensure_service(store_, service); !mistake.empty()) return fail(std::move(mistake));
    } else if (verb == "delete") {
      return delete_service(store_, service.node, service.id);
    } else if (verb == "delete-cas") {
      if (existing == nullptr || current != service.modify_index) {
        return fail(fmt::format("failed to delete {}, index is stale", name));
      }
      return delete_service(store_, service.node, service.id);
    } else if (verb != "get") {
      return fail(fmt::format("unknown Service verb \"{}\"", verb));
    }
    existing = find_service(state(), service.node, service.id);
    if (existing == nullptr) return fail(fmt::format("{} doesn't exist", name));
    result("Service", service_row(*existing, Lists::kNull));
  }

  void run_check(const std::string& verb, MemoryCheck check) {
    prepare_check(check);
    const MemoryCheck* existing = find_check(state(), check.node, check.id);
    const std::uint64_t current = existing == nullptr ? 0 : existing->modify_index;
    const std::string name = fmt::format("check \"{}\" on node \"{}\"", check.id, check.node);
    if (verb == "set" || verb == "cas") {
      if (verb == "cas" && current != check.modify_index)
        return fail(fmt::format("failed to set {}, index is stale", name));
      if (std::string mistake = ensure_check(store_, check); !mistake.empty()) return fail(std::move(mistake));
    } else if (verb == "delete") {
      return delete_check(store_, check.node, check.id);
    } else if (verb == "delete-cas") {
      if (existing == nullptr || current != check.modify_index) {
        return fail(fmt::format("failed to delete {}, index is stale", name));
      }
      return delete_check(store_, check.node, check.id);
    } else if (verb != "get") {
      return fail(fmt::format("unknown Check verb \"{}\"", verb));
    }
    existing = find_check(state(), check.node, check.id);
    if (existing == nullptr) return fail(fmt::format("{} doesn't exist", name));
    result("Check", check_row(*existing, Lists::kNull));
  }

  Store& store_;
  bool writes_;
  std::size_t place_ = 0;
  Json::Array results_;
  Json::Array errors_;
};

HttpResponse too_large(std::size_t size) {
  return text_answer(413, fmt::format("Request body({} bytes) too large, max size: {} bytes. See "
                                      "https://www.consul.io/docs/agent/options.html#txn_max_req_len.",
                                      size, kMaximalBytes));
}

}  // namespace

HttpResponse run_txn(Store& store, const Call& call) {
  if (call.body.size() > kMaximalBytes) return too_large(call.body.size());
  const absl::StatusOr<Json> json = parse_body(call.body);
  if (!json.ok()) return bad_request(fmt::format("Failed to parse body: {}", std::string(json.status().message())));
  const Json::Array* items = json->as_array();
  if (items == nullptr && !json->is_null()) {
    return bad_request("Failed to parse body: json: cannot unmarshal object into Go value of type api.TxnOps");
  }
  GoDecoder decoder(true);
  std::vector<Operation> operations;
  bool writes = false;
  for (const Json& item : items == nullptr ? Json::Array{} : *items) {
    operations.push_back(decode_operation(decoder, item));
    writes = writes || is_write(operations.back());
  }
  if (!decoder.error().empty()) return bad_request(fmt::format("Failed to parse body: {}", decoder.error()));
  if (operations.size() > kMaximalOperations) {
    return text_answer(
        413, fmt::format("Transaction contains too many operations ({} > {})", operations.size(), kMaximalOperations));
  }
  std::erase_if(operations, [](const Operation& one) { return one.target == Target::kNone; });
  Runner runner(store, writes);
  runner.run(operations);
  return runner.answer(call);
}

}  // namespace convergence::memory
