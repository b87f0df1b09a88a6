#include "page.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <vector>

#include "measure.h"

namespace demo {
namespace {

constexpr double kWidth = 860;
constexpr double kHeight = 220;
constexpr double kLeft = 60;
constexpr double kRight = 16;
constexpr double kTop = 14;
constexpr double kBottom = 34;

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// Maps a rollout's seconds and a range of percents onto the drawing.
struct Axes {
  double from = 0;
  double to = 1;
  double low = 0;
  double high = 100;
  double x(double seconds) const { return kLeft + (seconds - from) / (to - from) * (kWidth - kLeft - kRight); }
  double y(double percent) const {
    const double clipped = std::clamp(percent, low, high);
    return kHeight - kBottom - (clipped - low) / (high - low) * (kHeight - kTop - kBottom);
  }
};

Axes axes_of(const RolloutStory& rollout, double low, double high) {
  Axes axes{rollout.samples.front().seconds, rollout.samples.back().seconds, low, high};
  for (const Decision& decision : rollout.decisions) {
    axes.from = std::min(axes.from, decision.seconds);
    axes.to = std::max(axes.to, decision.seconds);
  }
  if (axes.to <= axes.from) axes.to = axes.from + 1;
  return axes;
}

std::string frame(const Axes& axes) {
  std::string out;
  for (int i = 0; i <= 4; ++i) {
    const double percent = axes.low + (axes.high - axes.low) * i / 4;
    out += fmt::format(
        "<line class='grid' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>"
        "<text class='tick' x='{:.1f}' y='{:.1f}' text-anchor='end'>{:g} %</text>",
        kLeft, kWidth - kRight, axes.y(percent), axes.y(percent), kLeft - 8, axes.y(percent) + 4, percent);
  }
  for (int i = 0; i <= 4; ++i) {
    const double seconds = axes.from + (axes.to - axes.from) * i / 4;
    out += fmt::format("<text class='tick' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{:.0f} s</text>", axes.x(seconds),
                       kHeight - 12, seconds);
  }
  return out;
}

std::string weight_chart(const RolloutStory& rollout) {
  const Axes axes = axes_of(rollout, 0, 100);
  std::string line;
  double last = 0;
  for (const Decision& decision : rollout.decisions) {
    line += fmt::format("{}{:.1f} {:.1f} L{:.1f} {:.1f} ", line.empty() ? "M" : "L", axes.x(decision.seconds),
                        axes.y(last), axes.x(decision.seconds), axes.y(decision.candidate_weight));
    last = decision.candidate_weight;
  }
  std::string dots;
  for (const Sample& sample : rollout.samples) {
    dots += fmt::format(
        "<circle class='read' cx='{:.1f}' cy='{:.1f}' r='3.5'><title>{:.1f} s: {:g} % in the chain read "
        "back</title></circle>",
        axes.x(sample.seconds), axes.y(sample.candidate_weight), sample.seconds, sample.candidate_weight);
  }
  return fmt::format(
      "<svg viewBox='0 0 {} {}' role='img' aria-label='weight of the candidate'>{}"
      "<path class='weight' d='{}'/>{}</svg>",
      kWidth, kHeight, frame(axes), line, dots);
}

std::string rate_line(const RolloutStory& rollout, const Axes& axes, const char* css,
                      const convergence::RequestCount Sample::*count) {
  std::string line;
  std::string dots;
  for (const Sample& sample : rollout.samples) {
    const convergence::RequestCount& counted = sample.*count;
    if (counted.requests == 0) continue;
    const double percent = success_percent(counted);
    line += fmt::format("{}{:.1f} {:.1f} ", line.empty() ? "M" : "L", axes.x(sample.seconds), axes.y(percent));
    dots +=
        fmt::format("<circle class='{}' cx='{:.1f}' cy='{:.1f}' r='3'><title>{:.1f} s: {:.2f} % of {}</title></circle>",
                    css, axes.x(sample.seconds), axes.y(percent), sample.seconds, percent, counted.requests);
  }
  return fmt::format("<path class='{}' d='{}'/>{}", css, line, dots);
}

std::string rate_chart(const RolloutStory& rollout) {
  double lowest = 100;
  for (const Sample& sample : rollout.samples) {
    for (const auto* count : {&sample.stable, &sample.candidate, &sample.user}) {
      lowest = std::min(lowest, success_percent(*count));
    }
  }
  const double low = lowest > 98 ? 98 : lowest > 90 ? 90 : lowest > 50 ? 50 : 0;
  const Axes axes = axes_of(rollout, low, 100);
  return fmt::format("<svg viewBox='0 0 {} {}' role='img' aria-label='success rates'>{}{}{}{}</svg>", kWidth, kHeight,
                     frame(axes), rate_line(rollout, axes, "stable", &Sample::stable),
                     rate_line(rollout, axes, "candidate", &Sample::candidate),
                     rate_line(rollout, axes, "user", &Sample::user));
}

std::string decisions_table(const RolloutStory& rollout) {
  std::string rows;
  for (const Decision& decision : rollout.decisions) {
    rows += fmt::format("<tr><td class='n'>{:.1f} s</td><td>{}</td><td class='n'>{:g} %</td><td>{}</td></tr>\n",
                        decision.seconds, escaped(decision.phase), decision.candidate_weight, escaped(decision.why));
  }
  return "<table><thead><tr><th>time</th><th>phase</th><th>weight</th><th>why</th></tr></thead><tbody>\n" + rows +
         "</tbody></table>";
}

std::string section(const RolloutStory& rollout) {
  if (rollout.samples.empty()) return "";
  const Sample& first = rollout.samples.front();
  return fmt::format(
      "<section><h2>{} <span class='outcome {}'>{}</span></h2>\n"
      "<h3>Traffic to {}: the weight decided (line) and the one read back from the server (dots)</h3>\n{}\n"
      "<h3>Requests that succeed: <b class='k stable'>{}</b> <b class='k candidate'>{}</b> "
      "<b class='k user'>the user, behind the retries</b></h3>\n{}\n{}</section>\n",
      escaped(rollout.title), rollout.outcome == "promoted" ? "good" : "bad", escaped(rollout.outcome),
      escaped(first.candidate_version), weight_chart(rollout), escaped(first.stable_version),
      escaped(first.candidate_version), rate_chart(rollout), decisions_table(rollout));
}

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ink: #1d2530; --faint: #8a94a3; --rule: #d9dee6; --back: #ffffff;
        --stable: #2a6fbb; --candidate: #d97706; --user: #15803d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --faint: #8a94a3; --rule: #333b47; --back: #151a21;
        --stable: #6ca8ec; --candidate: #f3a63b; --user: #4cc27a; } }
body { margin: 2rem auto; max-width: 58rem; padding: 0 1rem; background: var(--back); color: var(--ink);
       font: 15px/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; } h3 { font-weight: 500; margin: 1.2rem 0 .2rem; }
p { color: var(--faint); margin-top: .2rem; }
svg { width: 100%; height: auto; } .grid { stroke: var(--rule); } .tick { fill: var(--faint); font-size: 12px; }
path { fill: none; stroke-width: 2; } path.weight { stroke: var(--candidate); } circle.read { fill: var(--ink); }
path.stable { stroke: var(--stable); } path.candidate { stroke: var(--candidate); } path.user { stroke: var(--user); }
circle.stable { fill: var(--stable); } circle.candidate { fill: var(--candidate); } circle.user { fill: var(--user); }
.k { padding: 0 .5rem; border-bottom: 3px solid; } .k.stable { border-color: var(--stable); }
.k.candidate { border-color: var(--candidate); } .k.user { border-color: var(--user); }
.outcome { font-size: .8rem; padding: .15rem .6rem; border-radius: 1rem; vertical-align: middle; color: #fff; }
.good { background: #15803d; } .bad { background: #b42318; }
table { border-collapse: collapse; width: 100%; margin-top: 1rem; font-size: 14px; }
th { text-align: left; color: var(--faint); font-weight: 500; } td, th { border-top: 1px solid var(--rule);
     padding: .25rem .6rem .25rem 0; vertical-align: top; } td.n { white-space: nowrap; }
)css";

}  // namespace

std::string page(const Story& story) {
  std::string sections;
  for (const RolloutStory& rollout : story.rollouts) sections += section(rollout);
  return fmt::format(
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>convergence: the main job</title>\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
      "<link rel='icon' href='data:,'>\n<style>{}</style></head>\n<body><h1>The main job</h1>\n"
      "<p>{} · {} nodes in two roles · {} steps from an empty Consul to the desired state · seed {}. Every request "
      "went "
      "through route() over the chain read back from the server.</p>\n{}</body></html>\n",
      kStyle, escaped(story.backend), story.nodes, story.converge_steps, story.seed, sections);
}

}  // namespace demo
