// Who may ask, and the small parts that stand before a route. SPDX-License-Identifier: MIT
#include "serve/gate.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "io/base64.h"
#include "serve/fields.h"
#include "serve/files.h"
#include "serve/metrics.h"
#include "serve/routes.h"

namespace janus::serve {
namespace {

// The code that a call is refused with; "" when it is not.
template <class Call>
std::string refused(const Call& call) {
  try {
    call();
  } catch (const Refusal& refusal) {
    return refusal.code;
  }
  return {};
}

Request with(Headers headers) {
  Request request;
  request.headers = std::move(headers);
  request.peer = "10.0.0.1";
  return request;
}

TEST(Gate, KeysAreOfTheFileAndTheOption) {
  const auto path = std::filesystem::temp_directory_path() / "januspro-gate-test-keys";
  std::ofstream(path) << "# people\nalice  secret-a\r\n\nsecret-b\n";
  GateOptions options;
  options.keys = path;
  options.api_key = "secret-c";
  Gate gate(options);
  const auto caller = [&](const std::string& header, bool basic = false) {
    return gate.check_key(with({{"authorization", header}}), basic);
  };
  EXPECT_EQ(caller("Bearer secret-a"), "key:alice");
  EXPECT_EQ(caller("bearer  secret-b"), "key:key-4");
  EXPECT_EQ(caller("Bearer secret-c"), "key:key");
  EXPECT_EQ(caller("Basic eDpzZWNyZXQtYQ==", true), "key:alice");  // x:secret-a
  EXPECT_EQ(refused([&] { caller("Basic eDpzZWNyZXQtYQ=="); }), "missing_api_key");
  EXPECT_EQ(refused([&] { caller("Bearer secret"); }), "invalid_api_key");
  EXPECT_EQ(refused([&] { caller(""); }), "missing_api_key");
  EXPECT_EQ(refused([&] { gate.check_key(with({}), false); }), "missing_api_key");
  std::ofstream(path) << "secret-d\n";
  gate.read_keys();
  EXPECT_EQ(caller("Bearer secret-d"), "key:key-1");
  EXPECT_EQ(refused([&] { caller("Bearer secret-a"); }), "invalid_api_key");
  std::ofstream(path) << "# none\n";
  EXPECT_THROW(gate.read_keys(), Error);
  EXPECT_EQ(caller("Bearer secret-d"), "key:key-1");
  std::filesystem::remove(path);
  EXPECT_EQ(Gate({}).check_key(with({}), false), "address:10.0.0.1");
}

TEST(Gate, HostsAndOriginsAreThoseThatWereAllowed) {
  GateOptions options;
  options.hosts = {"Box.local"};
  options.origins = {"https://app.example"};
  const Gate gate(options);
  for (const char* good :
       {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "box.local:9"}) {
    EXPECT_EQ(refused([&] { gate.check_host(with({{"host", good}}), true); }), "") << good;
  }
  for (const char* bad :
       {"", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::2]"}) {
    EXPECT_EQ(refused([&] {
                gate.check_host(with({{"host", bad}}), true);
              }),
              "host_not_allowed")
        << bad;
    EXPECT_EQ(refused([&] { gate.check_host(with({{"host", bad}}), false); }), "") << bad;
  }
  const auto origin = [&](const char* from) {
    return refused([&] {
      gate.check_origin(with({{"host", "localhost:8080"}, {"origin", from}}));
    });
  };
  EXPECT_EQ(origin("http://localhost:8080"), "");
  EXPECT_EQ(origin("https://app.example"), "");
  EXPECT_EQ(origin("null"), "origin_not_allowed");
  EXPECT_EQ(origin("http://localhost:8081"), "origin_not_allowed");
  EXPECT_EQ(gate.cors(with({{"origin", "https://other.example"}})).size(), 0u);
  EXPECT_EQ(gate.cors(with({{"origin", "https://app.example"}}))[0].second, "https://app.example");
}

TEST(Gate, AMinuteHasSoManyRequestsOfEachCaller) {
  GateOptions options;
  options.rate = 2;
  Gate gate(options);
  for (const char* caller : {"a", "a", "b"}) {
    EXPECT_EQ(refused([&] { gate.check_rate(caller); }), "");
  }
  try {
    gate.check_rate("a");
    FAIL();
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status, 429);
    ASSERT_EQ(refusal.headers[0].first, "Retry-After");
    EXPECT_LE(std::stoi(refusal.headers[0].second), 61);
  }
}

TEST(Base64, GoesThereAndBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    const std::string text = to_base64(std::as_bytes(std::span(bytes.data(), bytes.size())));
    EXPECT_EQ(text.size() % 4, 0u);
    EXPECT_EQ(from_base64(text), bytes);
    EXPECT_EQ(from_base64(text.substr(0, text.find('='))), bytes);
    bytes += static_cast<char>(i * 7);
  }
  EXPECT_EQ(from_base64("_-8="), from_base64("/+8"));
  for (const char* wrong : {"A", "AB=C", "A===", "A B!", "\xff"})
    EXPECT_FALSE(from_base64(wrong)) << wrong;
}

TEST(Routes, ArePathsWithTheirMethods) {
  const auto find = [](const char* method, const char* path) {
    Request request;
    request.method = method;
    request.path = path;
    const Route& route = all_routes()[find_route(request)];
    return std::string(route.pattern) +
           (request.captures.empty() ? "" : " " + request.captures.begin()->second);
  };
  EXPECT_EQ(find("GET", "/"), "/");
  EXPECT_EQ(find("HEAD", "/health"), "/health");
  EXPECT_EQ(find("GET", "/v1/models/org/name@1"), "/v1/models/{id...} org/name@1");
  EXPECT_EQ(refused([&] { find("GET", "/v1/models/"); }), "unknown_url");
  EXPECT_EQ(refused([&] { find("GET", "/v1/model"); }), "unknown_url");
  EXPECT_EQ(refused([&] { find("GET", "*"); }), "unknown_url");
  EXPECT_EQ(refused([&] { find("POST", "/health"); }), "method_not_allowed");
  EXPECT_EQ(find("GET", "/v1/jobs/job_1/results/0"), "/v1/jobs/{id}/results/{index} job_1");
  EXPECT_EQ(refused([&] { find("DELETE", "/v1/jobs/job_1/results/0"); }), "method_not_allowed");
  EXPECT_EQ(refused([&] { find("GET", "/v1/jobs/job_1/more"); }), "unknown_url");
  EXPECT_EQ(methods_of("/v1/jobs/job_1/results/0"), "GET, HEAD");
  EXPECT_EQ(methods_of("/sdapi/v1/options"), "GET, HEAD, POST");
  EXPECT_EQ(methods_of("/nowhere"), "");
}

TEST(Files, GoWhenTheyAreOldOrTooMany) {
  ResultFiles files(10, std::chrono::seconds(3600));
  const auto bytes = std::make_shared<const std::string>("12345");
  for (const char* name : {"a", "b", "c"}) files.add({name, "image/png", bytes});
  EXPECT_FALSE(files.find("a"));
  EXPECT_TRUE(files.find("b") && files.find("c"));
  ResultFiles brief(10, std::chrono::seconds(0));
  brief.add({"a", "image/png", bytes});
  EXPECT_FALSE(brief.find("a"));
}

TEST(Metrics, AreWrittenAsPrometheusReadsThem) {
  Metrics metrics;
  metrics.add("januspro_http_requests_total", Metrics::label("route", "/a\"\\\n"), 2);
  metrics.observe("januspro_queue_seconds", "", 0.03);
  metrics.observe("januspro_queue_seconds", "", 100);
  const std::string text = metrics.text();
  const auto has = [&](const char* line) {
    return text.find(std::string("\n") + line + "\n") != text.npos;
  };
  EXPECT_TRUE(has("januspro_http_requests_total{route=\"/a\\\"\\\\\\n\"} 2")) << text;
  EXPECT_TRUE(has("januspro_queue_seconds_bucket{le=\"0.025\"} 0"));
  EXPECT_TRUE(has("januspro_queue_seconds_bucket{le=\"0.05\"} 1"));
  EXPECT_TRUE(has("januspro_queue_seconds_bucket{le=\"+Inf\"} 2"));
  EXPECT_TRUE(has("januspro_queue_seconds_count 2"));
  EXPECT_TRUE(has("# TYPE januspro_images_total counter"));
  EXPECT_NE(process_metrics().find("process_open_fds "), std::string::npos);
}

}  // namespace
}  // namespace janus::serve
