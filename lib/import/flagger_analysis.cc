// The analysis of a Canary: when it moves, by how much, and whom it gets first.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "lib/import/flagger.h"

namespace convergence::importing {
namespace {

using enum ImportOutcome;

constexpr std::int64_t kMostIterations = 1'000'000;

std::int64_t whole(const At& at, std::int64_t otherwise, std::int64_t most) {
  const std::optional<double> value = number_at(at);
  if (!value || !(*value >= 0)) return otherwise;
  return *value >= static_cast<double>(most) ? most : static_cast<std::int64_t>(*value);
}

std::string weights_text(const std::vector<std::int64_t>& weights) {
  return fmt::format("{}", fmt::join(weights, ", "));
}

Json weights_json(const std::vector<std::int64_t>& weights) {
  Json::Array out;
  for (const std::int64_t weight : weights) out.emplace_back(weight);
  return Json(std::move(out));
}

// ---- times ---------------------------------------------------------------------------------------------------------

void read_times(CanaryDraft& draft, const At& analysis) {
  constexpr Duration kLeast = std::chrono::seconds(10);
  const At interval = analysis.member("interval");
  const Duration wanted = duration_at(interval).value_or(std::chrono::minutes(1));
  draft.interval = std::clamp<Duration>(wanted, kLeast, std::chrono::hours(24 * 30));
  if (wanted < kLeast) {
    draft.say(interval, kTranslated, "10s: Flagger takes no shorter one", "interval");
  } else {
    draft.say(interval, kImported, "", "interval");
  }
  const At threshold = analysis.member("threshold");
  draft.threshold = std::max<std::int64_t>(whole(threshold, 1, 1'000'000), 1);
  draft.say(threshold, kTranslated,
            fmt::format("max_failures {}, counted over the whole rollout as Flagger does", draft.threshold),
            "max_failures");
  draft.policy.set("interval", duration_to_text(draft.interval))
      .set("settle", "0s")
      .set("mode", "flagger")
      .set("min_requests", 1)
      .set("max_failures", draft.threshold);
}

// How long it may take, when everything that is asked for needs its time.
void write_deadlines(CanaryDraft& draft, std::int64_t intervals_per_step) {
  const At progress = draft.spec("progressDeadlineSeconds");
  const std::optional<Duration> seconds = duration_at(progress);
  const std::string no_evidence = deadline_text(seconds.value_or(std::chrono::minutes(10)), draft.interval, 3);
  draft.say(progress, seconds ? kTranslated : kIgnored,
            seconds ? fmt::format("no_evidence_deadline {}: the longest time without any evidence, and no less than "
                                  "three intervals",
                                  no_evidence)
                    : "is no time",
            "no_evidence_deadline");
  draft.policy.set("intervals_per_step", intervals_per_step)
      .set("no_evidence_deadline", no_evidence)
      .set("step_deadline",
           deadline_text(std::chrono::minutes(30), draft.interval, intervals_per_step + draft.threshold + 2));
}

// ---- weights ------------------------------------------------------------------------------------------------

// As Flagger moves: by the step until the limit is reached or passed (2.3). Without a step it would never move; then
// our own default stays.
std::vector<std::int64_t> ladder(std::int64_t step, std::int64_t limit) {
  std::vector<std::int64_t> out;
  for (std::int64_t weight = step; step > 0; weight += step) {
    out.push_back(std::min<std::int64_t>(weight, 100));
    if (out.back() >= limit) break;
  }
  return out;
}

// A list of its own; what does not rise cannot be a step.
std::vector<std::int64_t> listed(const At& weights) {
  std::vector<std::int64_t> out;
  const Json::Array* items = weights ? weights.json->as_array() : nullptr;
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    At item;
    item.json = &(*items)[i];
    const std::int64_t weight = whole(item, 0, 100);
    if (weight > 0 && (out.empty() || weight > out.back())) out.push_back(weight);
  }
  return out;
}

void read_steps(CanaryDraft& draft, const At& analysis) {
  const At list = analysis.member("stepWeights");
  const At step = analysis.member("stepWeight");
  const At most = analysis.member("maxWeight");
  std::vector<std::int64_t> steps = listed(list);
  const std::int64_t limit = whole(most, 0, 100);
  if (!steps.empty()) {
    const Json::Array* items = list.json->as_array();
    const bool all = items->size() == steps.size();
    draft.say(list, kTranslated,
              all ? "the weights of steps"
                  : fmt::format("steps {}: weights that do not rise are left out", weights_text(steps)),
              "steps");
    draft.say(step, kIgnored, "stepWeights says it");
    draft.say(most, kIgnored, "the last of stepWeights says it");
  } else {
    steps = ladder(whole(step, 0, 100), limit > 0 ? limit : 100);
    draft.say(list, kIgnored, "names no weight");
    const std::string why = fmt::format("steps {}", weights_text(steps));
    draft.say(step, steps.empty() ? kIgnored : kTranslated,
              steps.empty() ? "is no weight: the policy's own steps are taken" : why, "steps");
    const bool passes = !steps.empty() && limit > 0 && steps.back() > limit;
    draft.say(most, steps.empty() ? kIgnored : kTranslated,
              steps.empty() ? "there is no step towards it"
                            : fmt::format("steps {}{}", weights_text(steps),
                                          passes ? ": the last passes it, as Flagger does" : ""),
              "steps");
  }
  if (!steps.empty()) draft.policy.set("steps", weights_json(steps));
}

void read_return(CanaryDraft& draft, const At& analysis) {
  const At back = analysis.member("stepWeightPromotion");
  const std::int64_t step = whole(back, 0, 100);
  if (step == 0) return draft.say(back, kIgnored, "traffic returns at once, as it does without");
  std::int64_t from = 0;
  if (const Json* steps = draft.policy.find("steps")) from = steps->as_array()->back().to_int64().value_or(0);
  std::vector<std::int64_t> steps;
  for (std::int64_t weight = from - step; weight > 0; weight -= step) steps.push_back(weight);
  draft.policy.set("promotion", "copy");
  if (!steps.empty()) draft.policy.set("return_steps", weights_json(steps));
  draft.say(back, kTranslated,
            steps.empty()
                ? "promotion copy: the stable subset gets the new version and all traffic at once"
                : fmt::format("promotion copy: the stable subset gets the new version, and traffic returns by {}",
                              weights_text(steps)),
            steps.empty() ? "promotion" : "return_steps");
}

// ---- whom it gets first -------------------------------------------------------------------------------------

std::string literal_pattern(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// {"exact": ...} and its like as a match of ours; empty for none of them.
std::optional<Json> named_match(std::string_view name, const At& test, bool header) {
  Json out;
  out.set("name", name);
  for (const std::string_view kind : {"exact", "prefix", "suffix", "regex"}) {
    const std::optional<std::string> value = text_at(test.member(kind));
    if (!value) continue;
    if (header || kind == "exact" || kind == "regex") return out.set(std::string(kind), *value);
    const std::string pattern = literal_pattern(*value);
    return out.set("regex", kind == "prefix" ? pattern + ".*" : ".*" + pattern);
  }
  return std::nullopt;
}

// One element. Nothing if a part of it cannot be had: without that part more users than wanted would be taken.
std::optional<Json> match_of(CanaryDraft& draft, const At& element) {
  Json::Array headers, cookies, query;
  std::string problem;
  for (const auto& [name, part] : element.members()) {
    if (name != "headers" && name != "queryParams") {
      problem = name + " is nothing that Consul's router can see";
      continue;
    }
    for (const auto& [key, test] : part.members()) {
      const std::optional<std::string> cookie = text_at(test.member("exact"));
      // Ingresses' canaries know a cookie by its name, and the word that goes with it.
      if (name == "headers" && key == "cookie" && cookie &&
          (draft.provider == "nginx" || draft.provider == "skipper")) {
        cookies.push_back(Json().set("name", *cookie).set("exact", "always"));
        continue;
      }
      const std::optional<Json> one = named_match(key, test, name == "headers");
      if (!one) {
        problem = fmt::format("{} has none of exact, prefix, suffix, regex", key);
      } else {
        (name == "headers" ? headers : query).push_back(*one);
      }
    }
  }
  if (problem.empty() && headers.empty() && cookies.empty() && query.empty()) problem = "it names no request";
  if (!problem.empty()) {
    draft.say(element, kUnsupported, fmt::format("not taken, as a whole: {}", problem));
    return std::nullopt;
  }
  Json out;
  if (!headers.empty()) out.set("headers", std::move(headers));
  if (!cookies.empty()) out.set("cookies", std::move(cookies));
  if (!query.empty()) out.set("query", std::move(query));
  draft.say(element, kTranslated, "requests that go to the candidate", "match");
  return out;
}

void read_strategy(CanaryDraft& draft, const At& analysis, std::int64_t iterations) {
  const At match = analysis.member("match");
  Json::Array taken;
  if (draft.provider == "kubernetes") {
    draft.say(match, kIgnored, "Flagger does not look at it with the provider kubernetes");
  } else if (iterations == 0) {
    draft.say(match, kIgnored, "without iterations Flagger moves weights, whoever asks");
  } else {
    for (const At& element : match.items()) {
      if (std::optional<Json> one = match_of(draft, element)) taken.push_back(*std::move(one));
    }
  }
  if (iterations == 0) return;
  draft.policy.set("strategy", taken.empty() ? "blue-green" : "match");
  if (!taken.empty()) draft.policy.set("match", std::move(taken));
}

void read_affinity(CanaryDraft& draft, const At& affinity) {
  const At cookie = affinity.member("cookieName");
  if (!affinity) return;
  draft.say(affinity, kUnsupported, "Consul's entries set a cookie by name, value and age");
  if (!text_at(cookie)) return;
  const At age = affinity.member("maxAge");
  const Duration max_age = duration_at(age).value_or(std::chrono::hours(24));
  draft.policy.set("affinity", Json().set("cookie", *text_at(cookie)).set("max_age", duration_to_text(max_age)));
  draft.say(cookie, kTranslated, "affinity: the cookie; its value is the rollout's, so that it ends with it",
            "affinity");
  draft.say(age, kTranslated, fmt::format("affinity: max_age {}", duration_to_text(max_age)), "affinity");
}

void read_rest(CanaryDraft& draft, const At& analysis) {
  const At mirror = analysis.member("mirror");
  const bool mirrored = bool_at(mirror) == true;
  constexpr std::string_view kNoMirror =
      "Consul's router cannot send a request twice; the candidate sees none before its first weight";
  draft.say(mirror, mirrored ? kUnsupported : kIgnored, mirrored ? kNoMirror : "as it is here anyway");
  draft.say(analysis.member("mirrorWeight"), mirrored ? kUnsupported : kIgnored,
            mirrored ? kNoMirror : "nothing is mirrored");
  for (const std::string_view name : {"primaryReadyThreshold", "canaryReadyThreshold"}) {
    const At ready = analysis.member(name);
    const bool whole_set = number_at(ready) == 100.0;
    draft.say(ready, whole_set ? kIgnored : kUnsupported,
              whole_set ? "Flagger's default"
                        : "min_passing counts instances, for how many there are in all only who starts them knows");
  }
}

}  // namespace

void read_analysis(CanaryDraft& draft, const At& analysis) {
  read_times(draft, analysis);
  const At iterations = analysis.member("iterations");
  std::int64_t count = whole(iterations, 0, kMostIterations);
  if (draft.provider == "kubernetes" && count == 0) count = 10;  // 2.2, row 20
  if (count > 0) {
    for (const std::string_view name : {"stepWeight", "stepWeights", "maxWeight", "stepWeightPromotion"}) {
      draft.say(analysis.member(name), kIgnored, "with iterations Flagger moves no weights");
    }
    draft.say(iterations, kTranslated, fmt::format("intervals_per_step {}", count), "intervals_per_step");
  } else {
    draft.say(iterations, kIgnored, "no iteration is asked for");
    read_steps(draft, analysis);
    read_return(draft, analysis);
  }
  write_deadlines(draft, std::max<std::int64_t>(count, 1));
  read_strategy(draft, analysis, count);
  read_affinity(draft, analysis.member("sessionAffinity"));
  read_rest(draft, analysis);
}

}  // namespace convergence::importing
