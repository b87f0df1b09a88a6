// The languages in which others lay a graph out.
#include <fmt/format.h>

#include <string_view>

#include "lib/chain/draw.h"

namespace convergence::draw_chain {
namespace {

std::string quoted_for_dot(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out + '"';
}

// Within quotes mermaid still sees markup; it knows characters by number.
std::string quoted_for_mermaid(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\n') {
      out += "<br/>";
    } else if (std::string_view("\"#&<>;`\\[]{}()|").find(c) != std::string_view::npos) {
      out += fmt::format("#{};", static_cast<int>(c));
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out + '"';
}

std::string lines(const Box& box) {
  std::string out = box.title;
  for (const std::string& note : box.notes) out += "\n" + note;
  return out;
}

}  // namespace

std::string dot(const std::vector<Box>& boxes) {
  std::string out =
      "digraph chain {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n"
      "  edge [fontname=\"sans-serif\", fontsize=11];\n";
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const Box& box = boxes[i];
    const std::string_view shape = box.kind == Box::Kind::kRouter     ? ", shape=hexagon"
                                   : box.kind == Box::Kind::kSplitter ? ", shape=trapezium"
                                                                      : ", style=rounded";
    out += fmt::format("  n{} [label={}{}{}];\n", i, quoted_for_dot(lines(box)), shape,
                       box.in_trouble ? ", color=red" : "");
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (const Way& way : boxes[i].ways) {
      const std::string_view style = way.failover ? ", style=dashed" : way.idle ? ", style=dotted" : "";
      out += fmt::format("  n{} -> n{} [label={}{}];\n", i, way.to, quoted_for_dot(way.label), style);
    }
  }
  return out + "}\n";
}

std::string mermaid(const std::vector<Box>& boxes) {
  std::string out = "flowchart LR\n";
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const Box& box = boxes[i];
    const std::string text = quoted_for_mermaid(lines(box));
    const auto shaped = box.kind == Box::Kind::kRouter     ? fmt::format("{{{{{}}}}}", text)
                        : box.kind == Box::Kind::kSplitter ? fmt::format("[/{}\\]", text)
                                                           : fmt::format("({})", text);
    out += fmt::format("  n{}{}\n", i, shaped);
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (const Way& way : boxes[i].ways) {
      const std::string_view arrow = way.failover || way.idle ? "-.->" : "-->";
      out += fmt::format("  n{} {}|{}| n{}\n", i, arrow, quoted_for_mermaid(way.label), way.to);
    }
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (boxes[i].in_trouble) out += fmt::format("  style n{} stroke:#d33\n", i);
  }
  return out;
}

}  // namespace convergence::draw_chain
