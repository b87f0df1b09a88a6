// Environment Manager's keys: whatever stands in K1, K2 and K3, a record is a service, or waits, or is broken; its
// neighbour is always there; and a service that can be exported is imported as it was. The three values stand in one
// text, with zero bytes between.
#include "convergence/codec.h"
#include "convergence/environment_manager.h"
#include "tests/fuzz/fuzz.h"

namespace convergence::test {
namespace {

std::string take(std::string_view& text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  std::string out(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return out;
}

void put(std::map<std::string, KvPair>& kv, const std::string& key, const std::string& value) {
  kv[key] = {.key = key, .value = value, .modify_index = 7};
}

void check_export(DesiredService service, const EnvironmentRole& role) {
  const auto write = export_environment(service, role, {});
  if (!write.ok() || !write->left_out.empty()) return;
  std::map<std::string, KvPair> kv;
  for (const Json& operation : write->operations) {
    const Json& fields = *operation.find("KV");
    put(kv, *fields.find("Key")->as_string(), *base64_decode(*fields.find("Value")->as_string()));
  }
  const EnvironmentRead again = import_environment(kv, role);
  must(again.services.size() == 1, "imported again", to_text(to_json(service)));
  // What pages of theirs want is added once.
  const auto twice = export_environment(again.services[0], role, {});
  must(twice.ok() && twice->operations == write->operations, "exported again", to_text(to_json(service)));
}

}  // namespace
}  // namespace convergence::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convergence;        // NOLINT: this function has C linkage
  using namespace convergence::test;  // NOLINT
  if (size == 0) return 0;
  static constexpr const char* kPlaces[] = {"s/none", "s/blue", "s/green", "s"};
  std::string_view text = text_of(data + 1, size - 1);
  const EnvironmentRole role = {"e", "r"};
  std::map<std::string, KvPair> kv;
  put(kv, role_prefix(role) + kPlaces[data[0] % 4], take(text));
  for (const std::string& key : environment_keys(kv, role)) put(kv, key, take(text));
  put(kv, role_prefix(role) + "t/none", R"({"Version":"1"})");
  put(kv, "environments/e/services/t/1/definition", R"({"Service":{}})");
  put(kv, "environments/e/services/t/1/installation", R"({"PackageBucket":"b","PackageKey":"k"})");
  const EnvironmentRead read = import_environment(kv, role);
  must(read.services.size() + read.waiting.size() + read.broken.size() == 2, "each record once");
  must(!read.services.empty() && read.services.back().name == "t", "the neighbour");
  for (const DesiredService& service : read.services) {
    must(validate(DesiredState{{service}, {}}).ok(), "valid", to_text(to_json(service)));
    check_export(service, role);
  }
  return 0;
}
