// Where the archive of a version may lie: names in, addresses out.
#include "convergence/package_search.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/support/status_check.h"

namespace convergence {
namespace {

TEST_CASE("F33: the environment's own archive comes before everybody's") {
  struct Case {
    const char* name;
    std::string base;
    std::string environment;
    std::vector<std::string> addresses;
  };
  const Case cases[] = {
      {"as Environment Manager lays them out",
       "s3://packages/PACKAGES",
       "pr1",
       {"s3://packages/PACKAGES/shop/1.2/pr1/shop-1.2-pr1.zip",
        "s3://packages/PACKAGES/shop/1.2/pr1/shop-1.2-pr1.tar.gz",
        "s3://packages/PACKAGES/shop/1.2/pr1/shop-1.2-pr1.tar.zst", "s3://packages/PACKAGES/shop/1.2/shop-1.2.zip",
        "s3://packages/PACKAGES/shop/1.2/shop-1.2.tar.gz", "s3://packages/PACKAGES/shop/1.2/shop-1.2.tar.zst"}},
      {"a folder",
       "/srv/packages/",
       "",
       {"file:///srv/packages/shop/1.2/shop-1.2.zip", "file:///srv/packages/shop/1.2/shop-1.2.tar.gz",
        "file:///srv/packages/shop/1.2/shop-1.2.tar.zst"}},
      {"a pattern", "https://h/{environment}/{service}_{version}.tgz", "pr1", {"https://h/pr1/shop_1.2.tgz"}},
      {"a pattern that asks for an environment", "https://h/{environment}/{version}.tgz", "", {}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const auto addresses = package_addresses(c.base, {"shop", "1.2", c.environment});
    REQUIRE_OK(addresses);
    CHECK(*addresses == c.addresses);
  }
}

TEST_CASE("W-S24: names that could lead elsewhere, and bases that are none, are refused") {
  struct Case {
    PackageName name;
    std::string base;
    std::string message;
  };
  const Case cases[] = {
      {{"shop", "../1", ""}, "/p", "the version \"../1\" can be no part of an address"},
      {{"shop", "", ""}, "/p", "the version \"\" can be"},
      {{"shop", "1?versionId=2", ""}, "https://h", "the version \"1?versionId=2\" can be"},
      {{"..", "1", ""}, "/p", "the service \"..\" can be"},
      {{"shop", "1%2F", ""}, "/p", "the version \"1%2F\" can be"},
      {{"shop", "1", "a b"}, "/p", "the environment \"a b\" can be"},
      {{"shop", "1", ""}, "packages", "packages: \"packages\" is no absolute folder"},
      {{"shop", "1", ""}, "ftp://h/", "packages: \"ftp://h/\" is no absolute folder"},
  };
  for (const Case& c : cases) CHECK_ERROR(package_addresses(c.base, c.name), ErrorKind::kValidate, c.message);
}

TEST_CASE("a digest beside an archive is the first word there") {
  const std::string hex(64, 'a');
  for (const std::string& text : {hex, hex + "  shop-1.2.zip\n", std::string(64, 'A') + "\r\n", hex + "\t*x"}) {
    const auto digest = digest_in(text, "x.sha256");
    REQUIRE_OK(digest);
    CHECK(*digest == hex);
  }
  for (const std::string& text : {std::string(), " " + hex, hex + "a", std::string(64, 'g'), std::string("<html>")}) {
    CHECK_ERROR(digest_in(text, "x.sha256"), ErrorKind::kDecode, "x.sha256: does not begin with a SHA-256");
  }
}

}  // namespace
}  // namespace convergence
