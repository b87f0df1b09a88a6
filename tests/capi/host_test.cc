// A host in C++ whose callbacks throw: nothing may unwind through C, and the host's own meaning must come back.
#include <doctest/doctest.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "convergence/c.h"

namespace {

struct Host {
  cvg_loop* loop = nullptr;
  cvg_connection* connection = nullptr;
  cvg_client* client = nullptr;

  explicit Host(cvg_code (*send)(void*, uint64_t, const cvg_request*)) {
    cvg_transport transport{};
    transport.struct_size = sizeof(transport);
    transport.send = send;
    REQUIRE(cvg_loop_new_simulated(0, &loop, nullptr) == CVG_OK);
    REQUIRE(cvg_connection_host(loop, &transport, &connection, nullptr) == CVG_OK);
    REQUIRE(cvg_client_new(loop, connection, cvg_text(R"({"max_tries":1})"), &client, nullptr) == CVG_OK);
  }
  ~Host() {
    cvg_client_free(client);
    cvg_connection_free(connection);
    cvg_loop_free(loop);
  }

  // Code, kind, message and detail of a call that fails.
  struct Failure {
    cvg_code code = CVG_OK;
    std::string kind, message, detail;
  };
  Failure call() {
    cvg_error* error = nullptr;
    cvg_buffer out{};
    const cvg_code code = cvg_client_call(client, cvg_text("status_leader"), cvg_text(nullptr), &out, &error);
    Failure failure{code, cvg_error_kind(error), cvg_error_message(error), cvg_error_detail(error)};
    cvg_error_free(error);
    cvg_buffer_free(&out);
    return failure;
  }
};

TEST_CASE("an exception of the host's send becomes an error with its text") {
  Host host([](void*, uint64_t, const cvg_request*) -> cvg_code { throw std::runtime_error("the line is cut"); });
  const Host::Failure failure = host.call();
  CHECK(failure.code == CVG_INTERNAL);
  CHECK(failure.kind == "invariant");
  CHECK(failure.message.find("the host's send threw: the line is cut") != std::string::npos);
}

TEST_CASE("an exception that is none of the standard's is caught too") {
  Host host([](void*, uint64_t, const cvg_request*) -> cvg_code { throw 7; });
  CHECK(host.call().code == CVG_INTERNAL);
}

TEST_CASE("the host's own code stands in the detail") {
  Host host([](void*, uint64_t, const cvg_request*) -> cvg_code { return CVG_RESOURCE_EXHAUSTED; });
  const Host::Failure failure = host.call();
  CHECK(failure.code == CVG_UNAVAILABLE);
  CHECK(failure.detail.find(R"("host_code":8)") != std::string::npos);
}

TEST_CASE("fields beyond struct_size are taken as absent") {
  cvg_loop* loop = nullptr;
  cvg_connection* connection = nullptr;
  REQUIRE(cvg_loop_new_simulated(0, &loop, nullptr) == CVG_OK);
  cvg_transport transport{};
  std::memset(static_cast<void*>(&transport), 0x5a,
              sizeof(transport));  // a host built before cancel and destroy were there
  transport.struct_size = offsetof(cvg_transport, cancel);
  transport.send = [](void*, uint64_t, const cvg_request*) -> cvg_code { return CVG_OK; };
  REQUIRE(cvg_connection_host(loop, &transport, &connection, nullptr) == CVG_OK);
  cvg_connection_free(connection);  // would call a wild destroy
  cvg_loop_free(loop);
}

TEST_CASE("a struct_size too small for send is refused") {
  cvg_loop* loop = nullptr;
  cvg_connection* connection = nullptr;
  cvg_error* error = nullptr;
  REQUIRE(cvg_loop_new_simulated(0, &loop, nullptr) == CVG_OK);
  cvg_transport transport{};
  transport.struct_size = sizeof(size_t);
  CHECK(cvg_connection_host(loop, &transport, &connection, &error) == CVG_FAILED_PRECONDITION);
  CHECK(std::string(cvg_error_message(error)).find("struct_size") != std::string::npos);
  cvg_error_free(error);
  cvg_loop_free(loop);
}

}  // namespace
