// The pure part: two rows of a health answer, one filter.
#include <cstdio>

#include "convergence/filter.h"
#include "convergence/json.h"

int main() {
  const auto rows = convergence::parse_json(
      R"([{"Service": {"Meta": {"version": "1"}}}, {"Service": {"Meta": {"version": "2"}}}])", "rows");
  const auto filter = convergence::Filter::parse("Service.Meta.version == 2");
  if (!rows.ok() || !filter.ok()) {
    return 1;
  }
  const auto chosen = convergence::filter_rows(*filter, *rows->as_array());
  if (!chosen.ok()) {
    std::puts(chosen.status().ToString().c_str());
    return 1;
  }
  std::puts(convergence::to_text(*chosen).c_str());
  return 0;
}
