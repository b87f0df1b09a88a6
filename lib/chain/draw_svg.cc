// A layered picture: each box lists its ways as rows, and each row has a curve to where it leads.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/chain/draw.h"

namespace convergence::draw_chain {
namespace {

// Sizes in the picture's own unit, a pixel where it is not scaled.
constexpr int kMargin = 16;
constexpr int kRow = 20;
constexpr int kGap = 14;       // between boxes of a column
constexpr int kBetween = 110;  // between columns: room for the curves
constexpr int kCharacter = 7;  // width of one, generously, at 12 px
constexpr std::size_t kLongest = 48;

constexpr std::string_view kStyle =
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1c2330}"
    ".b{fill:#f6f8fb;stroke:#8894a8}.r{stroke:#3566c8}.s{stroke:#8a4fc4}.x{stroke:#c92a2a;stroke-width:2}"
    ".h{font-weight:bold}.n{fill:#5b6577}.w{fill:none;stroke:#3566c8;stroke-width:1.5}"
    ".f{stroke:#8894a8;stroke-dasharray:5 4}.i{stroke:#b7bfcc;stroke-dasharray:2 3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6ebf4}.b{fill:#1d2430}.n{fill:#a3aec2}.w{stroke:#7aa5ff}"
    ".f{stroke:#8894a8}.i{stroke:#55607a}}";

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) out += c;
    }
  }
  return out;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// At most kLongest characters, never a part of one.
std::string cut(std::string_view text) {
  if (characters(text) <= kLongest) return std::string(text);
  std::size_t kept = 0;
  std::size_t end = 0;
  while (kept < kLongest - 1) {
    ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    ++kept;
  }
  return std::string(text.substr(0, end)) + "…";
}

struct Placed {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

std::vector<std::string> rows(const Box& box) {
  std::vector<std::string> out = {box.title};
  out.insert(out.end(), box.notes.begin(), box.notes.end());
  for (const Way& way : box.ways) out.push_back(way.label);
  return out;
}

int width_of(const Box& box) {
  std::size_t longest = 8;
  for (const std::string& row : rows(box)) longest = std::max(longest, characters(cut(row)));
  return static_cast<int>(longest) * 15 / 2 + 2 * kCharacter + 4;  // half a unit more for fonts that run wide
}

class Picture {
 public:
  explicit Picture(const std::vector<Box>& boxes) : boxes_(boxes), placed_(boxes.size()) { place(); }

  std::string draw(const std::string& title) {
    std::string out = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{}\" height=\"{}\" role=\"img\">\n"
        "<title>{}</title>\n<style>{}</style>\n",
        width_, height_, width_, height_, escaped(title), kStyle);
    for (std::size_t i = 0; i < boxes_.size(); ++i) out += curves(i);
    for (std::size_t i = 0; i < boxes_.size(); ++i) out += box(i);
    return out + "</svg>\n";
  }

 private:
  void place() {
    std::vector<std::vector<std::size_t>> columns;
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      if (boxes_[i].column >= columns.size()) columns.resize(boxes_[i].column + 1);
      columns[boxes_[i].column].push_back(i);
    }
    int x = kMargin;
    for (const std::vector<std::size_t>& column : columns) {
      int y = kMargin;
      int widest = 0;
      for (std::size_t i : column) {
        const int height = static_cast<int>(rows(boxes_[i]).size()) * kRow + 8;
        placed_[i] = {x, y, width_of(boxes_[i]), height};
        widest = std::max(widest, placed_[i].width);
        y += height + kGap;
      }
      for (std::size_t i : column) placed_[i].width = widest;
      height_ = std::max(height_, y - kGap + kMargin);
      if (!column.empty()) x += widest + kBetween;
    }
    width_ = x - kBetween + kMargin;
  }

  int row_y(std::size_t index, std::size_t row) const {
    return placed_[index].y + 4 + static_cast<int>(row) * kRow + kRow / 2;
  }

  std::string curves(std::size_t index) const {
    std::string out;
    const Box& from = boxes_[index];
    const Placed& start = placed_[index];
    for (std::size_t i = 0; i < from.ways.size(); ++i) {
      const Way& way = from.ways[i];
      const Placed& end = placed_[way.to];
      const int y1 = row_y(index, 1 + from.notes.size() + i);
      const int y2 = row_y(way.to, 0);
      const int x1 = start.x + start.width;
      const std::string_view kind = way.failover ? "w f" : way.idle ? "w i" : "w";
      const bool forwards = end.x > x1;
      const int x2 = forwards ? end.x : end.x + end.width;  // back or beside: into its right side
      const int bend = forwards ? (x2 - x1) / 2 : kBetween / 2;
      out += fmt::format("<path class=\"{}\" d=\"M{} {}C{} {} {} {} {} {}\"/>\n", kind, x1, y1, x1 + bend, y1,
                         forwards ? x2 - bend : x2 + bend, y2, x2, y2);
    }
    return out;
  }

  std::string box(std::size_t index) const {
    const Box& box = boxes_[index];
    const Placed& at = placed_[index];
    const std::string_view kind = box.in_trouble                     ? "b x"
                                  : box.kind == Box::Kind::kRouter   ? "b r"
                                  : box.kind == Box::Kind::kSplitter ? "b s"
                                                                     : "b";
    std::string out = fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n", kind,
                                  at.x, at.y, at.width, at.height);
    const std::vector<std::string> texts = rows(box);
    for (std::size_t row = 0; row < texts.size(); ++row) {
      const std::string_view style = row == 0 ? " class=\"h\"" : row <= box.notes.size() ? " class=\"n\"" : "";
      const std::string shown = cut(texts[row]);
      const std::string hint = shown == texts[row] ? "" : fmt::format("<title>{}</title>", escaped(texts[row]));
      out += fmt::format("<text{} x=\"{}\" y=\"{}\">{}{}</text>\n", style, at.x + kCharacter + 2, row_y(index, row) + 4,
                         hint, escaped(shown));
    }
    return out;
  }

  const std::vector<Box>& boxes_;
  std::vector<Placed> placed_;
  int width_ = 0;
  int height_ = 0;
};

}  // namespace

std::string svg(const std::vector<Box>& boxes, const std::string& title) { return Picture(boxes).draw(title); }

}  // namespace convergence::draw_chain
