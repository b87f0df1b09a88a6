#include "tests/support/filter_generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace convergence::test {
namespace {

constexpr int kMaxDepth = 3;
// A parenthesis without its partner costs the server four times more for each one that is open before it.
constexpr std::ptrdiff_t kMaxParentheses = 5;

// Selectors of the parts of a row and what they lead to: text (s), number (i), truth (b), list of texts (l), map (m),
// list of structures (e), or nothing that can be compared (-), be it there or not.
constexpr FilterSelector kOfNode[] = {
    {"ID", 's'},
    {"Node", 's'},
    {"Address", 's'},
    {"Datacenter", 's'},
    {"TaggedAddresses", 'm'},
    {"TaggedAddresses.lan", 's'},
    {"TaggedAddresses.wan", 's'},
    {"Meta", 'm'},
    {"Meta.version", 's'},
    {"Meta.nope", 's'},
    {"Meta.weird key", 's'},
    {"Meta.version.x", '-'},
    {"CreateIndex", '-'},
    {"Name", '-'},
};
constexpr FilterSelector kOfService[] = {
    {"Kind", 's'},
    {"ID", 's'},
    {"Service", 's'},
    {"Tags", 'l'},
    {"Tags", 'l'},
    {"Tags.a", '-'},
    {"Address", 's'},
    {"TaggedAddresses", 'm'},
    {"TaggedAddresses.lan", '-'},
    {"TaggedAddresses.lan.Address", 's'},
    {"TaggedAddresses.lan.Port", 'i'},
    {"TaggedAddresses.wan.Port", 'i'},
    {"Meta", 'm'},
    {"Meta.version", 's'},
    {"Meta.Version", 's'},
    {"Meta.w", 's'},
    {"Meta.nope", 's'},
    {"Meta.weird key", 's'},
    {"Port", 'i'},
    {"Weights", '-'},
    {"Weights.Passing", 'i'},
    {"Weights.Warning", 'i'},
    {"EnableTagOverride", 'b'},
    {"Proxy", '-'},
    {"Proxy.DestinationServiceName", 's'},
    {"Proxy.LocalServicePort", 'i'},
    {"Proxy.Config", '-'},
    {"Proxy.Upstreams", 'e'},
    {"Proxy.Upstreams.DestinationName", 's'},
    {"Proxy.Upstreams.LocalBindPort", 'i'},
    {"Proxy.Upstreams.MeshGateway.Mode", 's'},
    {"Proxy.MeshGateway.Mode", 's'},
    {"Proxy.Expose.Checks", 'b'},
    {"Proxy.Expose.Paths", 'e'},
    {"Proxy.Expose.Paths.Path", 's'},
    {"Proxy.Expose.Paths.ListenerPort", 'i'},
    {"Connect", '-'},
    {"Connect.Native", 'b'},
    {"ModifyIndex", '-'},
    {"Name", '-'},
    {"port", '-'},
};
constexpr FilterSelector kOfCheck[] = {
    {"Node", 's'},        {"CheckID", 's'}, {"Name", 's'},       {"Status", 's'},          {"Status", 's'},
    {"Notes", 's'},       {"Output", 's'},  {"ServiceID", 's'},  {"ServiceName", 's'},     {"ServiceTags", 'l'},
    {"ServiceTags", 'l'}, {"Type", 's'},    {"Definition", '-'}, {"Definition.HTTP", '-'}, {"CreateIndex", '-'},
    {"Status.x", '-'},    {"status", '-'},
};
constexpr FilterSelector kOfHealth[] = {
    {"Checks", 'e'}, {"Service", '-'}, {"Node", '-'}, {"Foo", '-'}, {"checks", '-'}};
const std::vector<std::string_view> kNodeKeys = {"version", "Version", "weird key", "zone"};
const std::vector<std::string_view> kServiceKeys = {"version", "Version", "w", "e", "zone"};  // Consul takes no others
const std::vector<std::string_view> kTexts = {"v1",  "v2", "v10", "V1", "", "0", "80", "a b", "f\xc3\xbc\xc3\x9f",
                                              "true"};
const std::vector<std::string_view> kTags = {"a", "b", "A", "v1.2", "canary", "", "a b"};
const std::vector<std::string_view> kWords = {
    "v1",
    "v2",
    "v10",
    "v",
    "1",
    "a",
    "b",
    "A",
    "canary",
    "web",
    "web-1",
    "Web-2",
    "api",
    "n1",
    "N2",
    "passing",
    "critical",
    "warning",
    "up",
    "ttl",
    "http",
    "10.0.0.1",
    "10.0.0",
    "dc1",
    "lan",
    "wan",
    "version",
    "w",
    "weird key",
    "a b",
    "",
    "local",
    "remote",
    "connect-proxy",
    "db",
    "/m",
    "f\xc3\xbc\xc3\x9f",
    "true",
    "false",
    "t",
    "80",
    "81",
    "0",
    "-1",
    "2000",
    "0x50",
    "0120",
    "0b1010000",
    "8_0",
    "+80",
    "80.0",
    "9223372036854775808",
    "1e3",
    "x",
};
const std::vector<std::string_view> kNumbers = {"80", "81", "0", "1", "2", "2000", "-1", "0x50", "0120", "9191"};
const std::vector<std::string_view> kTruths = {"true", "false", "t", "F", "1", "0", "TRUE", "yes"};
const std::vector<std::string_view> kPatterns = {
    "^v",     ".*",    "v[12]",    "^web-\\d+$",  "(?i)V1", "(",       "[a-",     "a**",         "\\C",
    "a{2,1}", "\\pL+", "(?P<n>v)", "\\bv",        "$",      "x?",      "(?<n>v)", "\\Q.\\E",     "a|b",
    "[^v]",   "\\8",   "(?s).",    "[[:alpha:]]", "(?=v)",  "a{1001}", "v1\\z",   "\\x{10FFFF}", ")",
};

}  // namespace

// ---- rows -------------------------------------------------------------------------------------------------------

Json FilterGenerator::labels(const Words& keys) {
  Json out = Json::Object{};
  for (std::string_view key : keys) {
    if (chance(35)) out.set(std::string(key), pick(kTexts));
  }
  return out;
}

Json FilterGenerator::tags() {
  Json::Array out;
  while (chance(50)) out.emplace_back(pick(kTags));
  return out;
}

Json FilterGenerator::proxy() {
  Json upstream = Json::Object{{"DestinationType", "service"},
                               {"DestinationName", pick({"db", "api"})},
                               {"LocalBindPort", 9191},
                               {"MeshGateway", Json::Object{}}};
  if (chance(50)) upstream.set("MeshGateway", Json::Object{{"Mode", "remote"}});
  if (chance(50)) upstream.set("Datacenter", "dc2");
  Json expose = Json::Object{};
  if (chance(50)) expose.set("Checks", true);
  if (chance(50)) {
    expose.set("Paths", Json::Array{Json::Object{{"ListenerPort", 81},
                                                 {"Path", "/m"},
                                                 {"LocalPathPort", 80},
                                                 {"Protocol", "http"},
                                                 {"ParsedFromCheck", false}}});
  }
  Json out = Json::Object{
      {"DestinationServiceName", pick({"web", "api"})}, {"MeshGateway", Json::Object{}}, {"Expose", std::move(expose)}};
  if (chance(50)) out.set("MeshGateway", Json::Object{{"Mode", "local"}});
  if (chance(50)) out.set("LocalServicePort", 80);
  if (chance(50)) out.set("Upstreams", Json::Array{std::move(upstream)});
  return out;
}

Json FilterGenerator::service(int i) {
  const bool is_proxy = chance(30);
  Json out = Json::Object{};
  if (is_proxy) out.set("Kind", "connect-proxy");
  out.set("ID", fmt::format("{}-{}", pick({"web", "Web"}), i));
  out.set("Service", "web");
  out.set("Tags", tags());
  out.set("Address", pick({"", "10.0.0.1", "web.local"}));
  if (chance(30)) {
    out.set("TaggedAddresses",
            Json::Object{{"lan", Json::Object{{"Address", "10.0.0.9"}, {"Port", pick({"a", "b"}) == "a" ? 80 : 81}}}});
  }
  out.set("Meta", labels(kServiceKeys));
  out.set("Port", std::int64_t{is_proxy ? 2000 : 80 + static_cast<int>(below(2))});
  out.set("Weights", Json::Object{{"Passing", std::int64_t(1 + below(2))}, {"Warning", std::int64_t(below(2))}});
  out.set("EnableTagOverride", chance(30));
  out.set("Proxy",
          is_proxy ? proxy() : Json(Json::Object{{"MeshGateway", Json::Object{}}, {"Expose", Json::Object{}}}));
  out.set("Connect", !is_proxy && chance(30) ? Json(Json::Object{{"Native", true}}) : Json(Json::Object{}));
  return out;
}

Json FilterGenerator::check(int i, std::string_view id, bool of_node) {
  return Json::Object{
      {"Node", fmt::format("n{}", i)},       {"CheckID", id},
      {"Name", pick({"ttl", "http", "db"})}, {"Status", pick({"passing", "passing", "warning", "critical"})},
      {"Notes", pick({"", "a b"})},          {"Output", pick({"", "v1", "10.0.0.1"})},
      {"ServiceID", of_node ? "" : id},      {"ServiceName", of_node ? "" : "web"},
      {"ServiceTags", Json::Array{}},        {"Type", ""},
      {"Definition", Json::Object{}}};
}

Json FilterGenerator::health_row(int i) {
  Json node = Json::Object{{"ID", ""},
                           {"Node", fmt::format("n{}", i)},
                           {"Address", pick({"10.0.0.1", "10.0.0.2"})},
                           {"Datacenter", "dc1"},
                           {"TaggedAddresses", chance(50) ? Json(Json::Object{{"lan", "10.0.0.1"}}) : Json()},
                           {"Meta", labels(kNodeKeys)}};
  Json instance = service(i);
  Json::Array checks;
  if (chance(50)) checks.push_back(check(i, "up", true));
  if (chance(70)) {
    Json own = check(i, *instance.find("ID")->as_string(), false);
    own.set("ServiceTags", *instance.find("Tags"));
    checks.push_back(std::move(own));
  }
  return Json::Object{{"Node", std::move(node)}, {"Service", std::move(instance)}, {"Checks", std::move(checks)}};
}

Json registration_of(const Json& row) {
  const Json& node = *row.find("Node");
  return Json::Object{{"Node", *node.find("Node")},
                      {"Address", *node.find("Address")},
                      {"TaggedAddresses", *node.find("TaggedAddresses")},
                      {"NodeMeta", *node.find("Meta")},
                      {"Service", *row.find("Service")},
                      {"Checks", *row.find("Checks")}};
}

// ---- expressions ------------------------------------------------------------------------------------------------

FilterGenerator::Selector FilterGenerator::below_prefix(std::string_view prefix,
                                                        std::span<const FilterSelector> table) {
  const FilterSelector& one = table[below(table.size())];
  return {fmt::format("{}{}", prefix, one.text), one.type};
}

FilterGenerator::Selector FilterGenerator::member(RowKind kind) {
  switch (kind) {
    case RowKind::kNode:
      return below_prefix("", kOfNode);
    case RowKind::kService:
      return below_prefix("", kOfService);
    case RowKind::kCheck:
      return below_prefix("", kOfCheck);
    case RowKind::kCatalogService: {
      if (chance(60)) return below_prefix("Service", kOfService);
      Selector out = below_prefix("", kOfNode);
      if (out.text.starts_with("Meta")) out.text.insert(0, "Node");
      return out;
    }
    case RowKind::kHealth:
      break;
  }
  switch (below(8)) {
    case 0:
      return below_prefix("", kOfHealth);
    case 1:
    case 2:
      return below_prefix("Node.", kOfNode);
    case 3:
    case 4:
      return below_prefix("Checks.", kOfCheck);
    default:
      return below_prefix("Service.", kOfService);
  }
}

// Members that are no names must, others may stand in brackets.
std::string FilterGenerator::respelled(const std::string& selector) {
  std::string out;
  std::size_t from = 0;
  while (from <= selector.size()) {
    const std::size_t dot = std::min(selector.find('.', from), selector.size());
    const std::string_view part = std::string_view(selector).substr(from, dot - from);
    const bool is_name = part.find(' ') == std::string_view::npos;
    if (from > 0 && (!is_name || chance(8))) {
      const char quote = chance(50) ? '"' : '`';
      out += "[" + space();
      out += fmt::format("{}{}{}", quote, part, quote);
      out += space() + "]";
    } else {
      out += fmt::format("{}{}", from > 0 ? "." : "", part);
    }
    from = dot + 1;
  }
  return out;
}

std::string FilterGenerator::quoted(std::string_view text) {
  if (text.find('`') == std::string_view::npos && chance(50)) return fmt::format("`{}`", text);
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += fmt::format("\\x{:02x}", byte);  // a backslash before a quote does not hide it
    } else if (byte < 0x80 && chance(4)) {
      out += chance(50) ? fmt::format("\\x{:02x}", byte) : fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string FilterGenerator::literal(std::string_view word) {
  const bool bare = !word.empty() && word.find_first_of(" -/") == std::string_view::npos &&
                    static_cast<unsigned char>(word.back()) < 0x80;
  return bare && chance(60) ? std::string(word) : quoted(word);
}

// Mostly an operator that suits what is compared, and mostly a value that suits both.
std::string FilterGenerator::match(RowKind kind) {
  Selector of = member(kind);
  for (int i = 0; i < 2 && of.type == '-'; ++i) of = member(kind);  // one in a while is enough
  const std::string selector = respelled(of.text);
  static constexpr std::string_view kOperators = "=~ci";  // equality, matches, contains or in, emptiness
  char op = kOperators[below(kOperators.size())];
  if (chance(90)) {
    if (of.type == 'i' || of.type == 'b') op = '=';
    if (of.type == 'e') op = 'i';
    if (of.type == 's' && op == 'i') op = '=';
    if ((of.type == 'l' || of.type == 'm') && op != 'c') op = 'i';
  }
  if (op == 'i') return selector + std::string(pick({" is empty", " is not empty"}));
  const Words& suiting = op == '~' && chance(70) ? kPatterns
                         : of.type == 'i'        ? kNumbers
                         : of.type == 'b'        ? kTruths
                                                 : kWords;
  const std::string value = literal(pick(chance(90) ? suiting : kWords));
  if (op == '~') return selector + std::string(pick({" matches ", " not matches "})) + value;
  if (op == '=') return selector + std::string(pick({" == ", " == ", " != ", "==", "!=", "\t==\n"})) + value;
  if (chance(50)) return value + std::string(pick({" in ", " not in "})) + selector;
  return selector + std::string(pick({" contains ", " not contains "})) + value;
}

std::string FilterGenerator::condition(RowKind kind, int depth) {
  std::string out;
  switch (depth >= kMaxDepth ? 9 : below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      out = condition(kind, depth + 1);
      out += pick({" and ", " or "});
      return out += condition(kind, depth + 1);
    case 4:
      return "not " + condition(kind, depth + 1);
    case 5:
      out = "(" + space();
      out += condition(kind, depth + 1);
      out += space();
      return out += ")";
    default:
      return match(kind);
  }
}

// One byte less, one more, or another one.
std::string FilterGenerator::spoilt(std::string text) {
  static constexpr std::string_view kBytes = "()[]`\".=!\\ \t\r\n-0x\xc3\xff_andorinot";
  const std::size_t at = below(text.size());
  const char byte = kBytes[below(kBytes.size())];
  switch (below(4)) {
    case 0:
      return text.erase(at, 1);
    case 1:
      return text.insert(at, 1, byte);
    case 2:
      return text.substr(0, at);
    default:
      text[at] = byte;
      return text;
  }
}

std::string FilterGenerator::expression(RowKind kind) {
  std::string text = condition(kind, 0);
  if (chance(15)) text = spoilt(std::move(text));
  const auto open = std::count(text.begin(), text.end(), '(');
  return open > kMaxParentheses ? match(kind) : text;
}

}  // namespace convergence::test
