// docs/config-entries.md says for every field of config entries what the library makes of it in each dialect; this
// finds it out anew, by what a value of the field changes, and compares. coverage.json has the values.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/chain.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/model/entry_parts.h"
#include "tests/support/status_check.h"
#include "tests/support/test_json.h"

namespace convergence::test {
namespace {

// Sets what stands at "Routes/0/Match", making objects and items of lists on the way.
void set_at(Json& json, std::string_view path, const Json& value) {
  if (path.empty()) {
    json = value;
    return;
  }
  const std::size_t slash = path.find('/');
  const std::string head(path.substr(0, slash));
  const std::string_view rest = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  if (std::ranges::all_of(head, [](char c) { return c >= '0' && c <= '9'; })) {
    if (json.is_null()) json = Json(Json::Array());
    Json::Array& items = *json.as_array();
    const std::size_t index = std::stoul(head);
    if (items.size() <= index) items.resize(index + 1);
    set_at(items[index], rest, value);
    return;
  }
  Json child = json.find(head) == nullptr ? Json() : *json.find(head);
  set_at(child, rest, value);
  json.set(head, std::move(child));
}

void set_all(Json& json, const Json* values) {
  if (values == nullptr) return;
  for (const Json::Member& member : *values->as_object()) set_at(json, member.name, member.value);
}

std::string text_of(const Json& row, const char* name, const char* otherwise = "") {
  const Json* value = row.find(name);
  return value == nullptr ? otherwise : *value->as_string();
}

struct Unknowns {
  bool newer = true;
  bool any = false;
  template <typename Part>
  void operator()(const EntryPlace&, const Part& part) {
    any |= !part.unknown.empty();
  }
};

// Whether a member went where what we have no field for is kept.
bool keeps_unknown(const ConfigEntry& entry) {
  if (std::holds_alternative<OpaqueEntry>(entry.body)) return true;
  Unknowns unknowns;
  std::visit([&](const auto& body) { visit_parts(EntryPlace{}, body, unknowns); }, entry.body);
  return unknowns.any;
}

// web v1 passes its checks, v2 warns; plain and api pass.
CatalogState catalog() {
  CatalogState state;
  state.datacenter = "dc1";
  NodeState node;
  node.node.name = "n1";
  node.node.datacenter = "dc1";
  state.nodes["n1"] = std::move(node);
  auto add = [&](const std::string& service, const std::string& version, CheckStatus status) {
    InstanceState one;
    one.instance.node = "n1";
    one.instance.id = service + "-" + version;
    one.instance.service = service;
    one.instance.meta["version"] = version;
    HealthCheck check;
    check.node = "n1";
    check.id = check.service_id = one.instance.id;
    check.status = status;
    one.checks.push_back(std::move(check));
    auto there = state.services.find(service);
    ServiceState all = there == state.services.end() ? ServiceState() : *there->second;
    all.instances.push_back(std::move(one));
    state.services[service] = std::move(all);
  };
  add("web", "v1", CheckStatus::kPassing);
  add("web", "v2", CheckStatus::kWarning);
  add("plain", "v1", CheckStatus::kPassing);
  add("api", "v1", CheckStatus::kPassing);
  return state;
}

// One row of coverage.json in one dialect.
class Field {
 public:
  Field(const Json& world, const Json& row, Dialect dialect) : world_(world), row_(row) { cluster_.dialect = dialect; }

  // "parse | validate | compile | route"
  std::string cells() const {
    const Json base = entry("with", nullptr);
    const Json changed = entry("with", row_.find("value"));
    const auto with = put(changed);
    if (!with.ok()) {
      // Refused as a field that this Consul does not have; anything else is a mistake in coverage.json.
      CAPTURE(std::string(with.status().message()));
      const ErrorKind kind = error_kind(with.status());
      REQUIRE((kind == ErrorKind::kDecode || kind == ErrorKind::kValidate));
      return "refused | | | ";
    }
    const auto without = put(base);
    REQUIRE_OK(without);
    const std::string id = text_of(row_, "entry");
    const std::size_t slash = id.find('/');
    const ConfigEntry* stored = with->get(id.substr(0, slash), id.substr(slash + 1));
    REQUIRE(stored != nullptr);
    return fmt::format("{} | {} | {} | {}", keeps_unknown(*stored) ? "kept" : "yes", refuses_bad() ? "yes" : "",
                       chain_text(*without) != chain_text(*with) ? "yes" : "",
                       route_text(*without) != route_text(*with) ? "yes" : "");
  }

 private:
  Json entry(const char* preparation, const Json* value) const {
    const std::string id = text_of(row_, "entry");
    Json out;
    for (const Json& one : *world_.as_array()) {
      if (*one.find("Kind")->as_string() + "/" + *one.find("Name")->as_string() == id) out = one;
    }
    out.set("Kind", id.substr(0, id.find('/'))).set("Name", id.substr(id.find('/') + 1));
    set_all(out, row_.find(preparation));
    if (value != nullptr) set_at(out, text_of(row_, "path"), *value);
    return out;
  }

  // The world with this entry in its place, or after all others.
  absl::StatusOr<ConfigEntries> put(const Json& entry) const {
    ConfigEntries entries(cluster_);
    std::vector<Json> documents = *world_.as_array();
    auto same = [&](const Json& one) {
      return *one.find("Kind") == *entry.find("Kind") && *one.find("Name") == *entry.find("Name");
    };
    auto place = std::ranges::find_if(documents, same);
    if (place == documents.end()) {
      documents.push_back(entry);
    } else {
      *place = entry;
    }
    for (const Json& document : documents) {
      auto parsed = from_json<ConfigEntry>(document, "entry");
      if (!parsed.ok()) return parsed.status();
      const absl::Status taken = entries.put(*std::move(parsed));
      if (!taken.ok()) return taken;
    }
    return entries;
  }

  bool refuses_bad() const {
    const Json* bad = row_.find("bad");
    return bad != nullptr && !put(entry(row_.find("bad_with") ? "bad_with" : "with", bad)).ok();
  }

  absl::StatusOr<DiscoveryChain> compile(const ConfigEntries& entries) const {
    ChainRequest request;
    request.cluster = cluster_;
    request.service = text_of(row_, "service", "web");
    request.evaluate_in_datacenter = text_of(row_, "compile_dc");
    return compile_chain(entries.map(), request);
  }

  std::string chain_text(const ConfigEntries& entries) const {
    const auto chain = compile(entries);
    return chain.ok() ? to_text(to_json(*chain)) : std::string(chain.status().message());
  }

  std::string route_text(const ConfigEntries& entries) const {
    const auto chain = compile(entries);
    if (!chain.ok()) return std::string(chain.status().message());
    const Json* given = row_.find("request");
    const Json usual = Json().set("path", "/a");
    auto request = from_json<HttpRequestShape>(given == nullptr ? usual : *given, "request");
    REQUIRE_OK(request);
    const CatalogState state = catalog();
    const auto result = route(*chain, *request, &state);
    return result.ok() ? to_text(to_json(*result)) : std::string(result.status().message());
  }

  const Json& world_;
  const Json& row_;
  ClusterIdentity cluster_;
};

std::string read_file(const std::string& path) {
  std::ifstream file(CONVERGENCE_SOURCE_DIR "/" + path, std::ios::binary);
  REQUIRE(file);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST_CASE("docs/config-entries.md says what the library makes of every field") {
  const auto document = read_test_json("unit/chain/coverage.json");
  REQUIRE_OK(document);
  std::string table;
  for (const Json& row : *document->find("rows")->as_array()) {
    const std::string field = text_of(row, "field");
    CAPTURE(field);
    const std::string old = Field(*document->find("world"), row, Dialect::k1_8).cells();
    const std::string current = Field(*document->find("world"), row, Dialect::kCurrent).cells();
    table += fmt::format("| `{}` | {} | {} |\n", field, old, current);
  }
  const std::string text = read_file("docs/config-entries.md");
  const std::size_t first = text.find("| `(all kinds) Meta`");
  REQUIRE(first != std::string::npos);
  const std::size_t last = std::min(text.find("\n\n", first) + 1, text.size());
  CHECK(text.substr(first, last - first) == table);
}

// A member that the codec learns to read has to get its row.
TEST_CASE("every member that the codec reads has a row") {
  const std::string source = read_file("lib/codec/config_entry_read.cc");
  const auto document = read_test_json("unit/chain/coverage.json");
  REQUIRE_OK(document);
  std::set<std::string> words;
  for (const Json& row : *document->find("rows")->as_array()) {
    std::string field = text_of(row, "field");
    std::ranges::replace_if(
        field, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, ' ');
    std::istringstream stream(field);
    words.insert(std::istream_iterator<std::string>(stream), {});
  }
  const std::set<std::string> not_fields = {"Kind", "Name", "CreateIndex", "ModifyIndex"};
  const std::regex member(R"re("([A-Z][A-Za-z]+)")re");
  std::vector<std::string> missing;
  std::size_t found = 0;
  for (std::sregex_iterator it(source.begin(), source.end(), member), end; it != end; ++it, ++found) {
    const std::string name = (*it)[1];
    if (!words.contains(name) && !not_fields.contains(name)) missing.push_back(name);
  }
  CHECK(found > 80);
  CHECK(fmt::format("{}", fmt::join(missing, " ")) == "");
}

}  // namespace
}  // namespace convergence::test
