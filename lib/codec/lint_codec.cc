#include <vector>

#include "convergence/codec.h"
#include "lib/codec/object_writer.h"

namespace convergence {
namespace {

Json encode(const Finding& finding) {
  return codec::ObjectWriter()
      .put("rule", finding.rule)
      .put("severity", to_string(finding.severity))
      .put("entry", Json().set("kind", finding.entry.kind).set("name", finding.entry.name))
      .put("pointer", finding.pointer)
      .put("why", finding.why)
      .put("remedy", finding.remedy)
      .take();
}

}  // namespace

Json to_json(const std::vector<Finding>& findings) { return codec::encode_list(findings, encode); }

}  // namespace convergence
