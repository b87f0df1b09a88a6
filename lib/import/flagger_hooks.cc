// Webhooks and alerts of a Canary.
#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "lib/import/flagger.h"

namespace convergence::importing {
namespace {

using enum ImportOutcome;

struct HookKind {
  std::string_view type;
  std::string_view gate;  // where it becomes a gate; empty: it does not
  std::string_view why;   // it does not
};
constexpr std::array kHooks = {
    HookKind{"confirm-rollout", "start", ""},
    HookKind{"pre-rollout", "start", ""},
    HookKind{"confirm-traffic-increase", "step", ""},
    HookKind{"confirm-promotion", "promotion", ""},
    HookKind{"rollout", "", "nothing is called beside each measurement; what it makes or tests has to run by itself"},
    HookKind{"", "", "nothing is called beside each measurement; what it makes or tests has to run by itself"},
    HookKind{"rollback", "", "a rollout is ended by command: converge rollout abort"},
    HookKind{"post-rollout", "",
             "nothing is called at the end; converge rollout status tells it, and the host's observer"},
    HookKind{"event", "", "nothing is called at each event; converge rollout history --json has them"},
};

void read_hook(CanaryDraft& draft, const At& hook, std::map<std::string, int>& names, Json::Array& gates) {
  const std::string type = text_at(hook.member("type")).value_or("");
  const HookKind* kind = nullptr;
  for (const HookKind& one : kHooks) {
    if (one.type == type) kind = &one;
  }
  if (kind == nullptr || kind->gate.empty()) {
    return draft.say(hook, kUnsupported, kind == nullptr ? "Flagger knows no hook of this type" : kind->why);
  }
  std::string name = text_at(hook.member("name")).value_or(type);
  if (const int before = names[name]++; before > 0) name += fmt::format("-{}", before + 1);
  Json gate;
  gate.set("name", name).set("at", kind->gate);
  if (const auto url = text_at(hook.member("url"))) gate.set("url", *url);
  // A test that fails as often as the threshold says ends a rollout; a confirmation may take its time.
  const bool test = type == "pre-rollout";
  const std::string deadline = test ? deadline_text(Duration(0), draft.interval, draft.threshold)
                                    : deadline_text(std::chrono::hours(24), draft.interval, 1);
  gate.set("deadline", deadline).set("on_deadline", "rollback");
  gates.push_back(std::move(gate));
  draft.say(hook, kUnsupported, "a gate has a name, an address and a deadline");
  draft.say(hook.member("name"), kTranslated, "the gate's name", "gates");
  draft.say(hook.member("url"), kTranslated, "asked until it says that the gate is open", "gates");
  draft.say(hook.member("type"), kTranslated,
            fmt::format("a gate at {}; closed for {} it rolls back", kind->gate, deadline), "gates");
}

}  // namespace

void read_hooks(CanaryDraft& draft, const At& webhooks, const At& alerts) {
  Json::Array gates;
  std::map<std::string, int> names;
  for (const At& hook : webhooks.items()) read_hook(draft, hook, names, gates);
  if (!gates.empty()) draft.policy.set("gates", std::move(gates));
  for (const At& alert : alerts.items()) {
    const At provider = alert.member("providerRef");
    draft.say(
        alert, kUnsupported,
        "nothing here sends messages; converge rollout history --json and the host's observer have each decision");
    if (provider && referenced(draft, provider, "AlertProvider") == nullptr) {
      draft.say(provider, kUnsupported,
                "no AlertProvider of this name is in the text, and nothing here sends messages");
    }
  }
}

}  // namespace convergence::importing
