// Pictures on the web: which addresses are asked, and what comes of it.
// SPDX-License-Identifier: MIT
#include "serve/fetch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "hub/mirror.h"
#include "serve/refusal.h"

namespace janus::serve {
namespace {

bool public_address(const std::string& text) {
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    return is_public(reinterpret_cast<const sockaddr&>(six));
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &four.sin_addr), 1) << text;
  return is_public(reinterpret_cast<const sockaddr&>(four));
}

TEST(Fetch, AsksTheInternetAlone) {
  for (const char* const text :
       {"1.1.1.1",       "9.255.255.255",   "11.0.0.1",    "100.63.0.1",  "100.128.0.1",
        "126.1.1.1",     "128.0.0.1",       "169.253.1.1", "169.255.1.1", "172.15.0.1",
        "172.32.0.1",    "192.167.1.1",     "192.169.1.1", "198.17.1.1",  "198.20.1.1",
        "223.255.255.1", "2606:4700::1111", "2001:200::1", "3ffe::1",     "::ffff:1.1.1.1"}) {
    EXPECT_TRUE(public_address(text)) << text;
  }
  for (const char* const text : {"0.0.0.0",
                                 "10.0.0.1",
                                 "100.64.0.1",
                                 "100.127.255.255",
                                 "127.0.0.1",
                                 "127.255.0.1",
                                 "169.254.169.254",
                                 "172.16.0.1",
                                 "172.31.255.255",
                                 "192.0.0.1",
                                 "192.0.2.1",
                                 "192.168.0.1",
                                 "198.18.0.1",
                                 "198.19.255.255",
                                 "198.51.100.1",
                                 "203.0.113.1",
                                 "224.0.0.1",
                                 "255.255.255.255",
                                 "::",
                                 "::1",
                                 "fe80::1",
                                 "fc00::1",
                                 "fd12::1",
                                 "ff02::1",
                                 "64:ff9b::7f00:1",
                                 "2001::1",
                                 "2001:db8::1",
                                 "2002:7f00:1::1",
                                 "3fff::1",
                                 "::ffff:127.0.0.1",
                                 "::ffff:10.1.1.1"}) {
    EXPECT_FALSE(public_address(text)) << text;
  }
  sockaddr other{};
  other.sa_family = AF_UNIX;
  EXPECT_FALSE(is_public(other));
}

class FetchFrom : public testing::Test {
 protected:
  FetchFrom() {
    mirror_.put("org/tiny", "main", "c0ffee",
                {{"a.png", {"picture"}}, {"b.png", {std::string(5000, 'b')}}});
    limits_.allowed = [](const sockaddr&) { return true; };
  }
  std::string url(const std::string& file) const {
    return mirror_.url() + "/org/tiny/resolve/c0ffee/" + file;
  }
  static Json chat(const std::string& first, const std::string& second) {
    return {{"messages",
             {{{"role", "user"},
               {"content",
                {{{"type", "image_url"}, {"image_url", {{"url", first}, {"detail", "low"}}}},
                 {{"type", "image_url"}, {"image_url", second}},
                 {{"type", "text"}, {"text", first}}}}}}}};
  }
  // The code and the field that it is refused with.
  std::string refused(const std::string& address) {
    try {
      with_fetched({{"image_url", address}}, limits_);
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.status, 400);
      return refusal.code + " " + refusal.param;
    }
    return {};
  }

  Mirror mirror_;
  FetchLimits limits_;
};

TEST_F(FetchFrom, PutsThePictureWhereItsAddressWas) {
  const Json body = with_fetched(chat(url("a.png"), "data:image/png;base64,AAAA"), limits_);
  const Json& parts = body["messages"][0]["content"];
  EXPECT_EQ(parts[0]["image_url"]["url"], "data:image/any;base64,cGljdHVyZQ==");
  EXPECT_EQ(parts[0]["image_url"]["detail"], "low");
  EXPECT_EQ(parts[1]["image_url"], "data:image/png;base64,AAAA") << "not asked for";
  EXPECT_EQ(parts[2]["text"], url("a.png")) << "a text stays a text";
  EXPECT_EQ(mirror_.requests().size(), 1u);
  EXPECT_EQ(with_fetched({{"images", {{{"image_url", url("a.png")}}}}},
                         limits_)["images"][0]["image_url"],
            "data:image/any;base64,cGljdHVyZQ==");
}

TEST_F(FetchFrom, WhatCannotBeHadIsTheClientsFault) {
  EXPECT_EQ(refused(url("absent.png")), "invalid_image image_url");
  limits_.bytes = 4999;
  EXPECT_EQ(refused(url("b.png")), "image_too_large image_url");
  EXPECT_EQ(refused(url("a.png")), "");
  mirror_.on_answer([](const MirrorRequest&, MirrorAnswer& answer) {
    answer.cut = 0;
    answer.stall = true;
  });
  limits_.seconds = .2;
  EXPECT_EQ(refused(url("a.png")), "invalid_image image_url");
  EXPECT_EQ(refused("http://"), "invalid_image image_url");
  EXPECT_EQ(refused("https://absent.invalid/x"), "invalid_image image_url");
}

TEST_F(FetchFrom, RedirectsAreFollowedThreeTimesAndLookedAt) {
  int left = 3;
  mirror_.on_answer([&](const MirrorRequest& request, MirrorAnswer& answer) {
    if (left-- <= 0) return;
    answer.status = 302;
    answer.headers["Location"] = request.path;
    answer.body.clear();
  });
  EXPECT_EQ(refused(url("a.png")), "");
  left = 4;
  EXPECT_EQ(refused(url("a.png")), "invalid_image image_url");
  // The first address is allowed, the one that it leads to is not.
  Mirror other;
  mirror_.on_answer([&](const MirrorRequest&, MirrorAnswer& answer) {
    answer.status = 302;
    answer.headers["Location"] = other.url() + "/x";
    answer.body.clear();
  });
  const auto port =
      static_cast<uint16_t>(std::stoi(other.url().substr(other.url().rfind(':') + 1)));
  limits_.allowed = [port](const sockaddr& address) {
    return reinterpret_cast<const sockaddr_in&>(address).sin_port != htons(port);
  };
  EXPECT_EQ(refused(url("a.png")), "remote_image_refused image_url");
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(FetchFrom, OwnNetworksAreRefusedWhateverTheirName) {
  limits_.allowed = is_public;
  EXPECT_EQ(refused(url("a.png")), "remote_image_refused image_url");
  const std::string port = mirror_.url().substr(mirror_.url().rfind(':'));
  for (const char* const host : {"localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]", "0"}) {
    EXPECT_EQ(refused("http://" + std::string(host) + port + "/x"),
              "remote_image_refused image_url")
        << host;
  }
  EXPECT_TRUE(mirror_.requests().empty());
}

TEST_F(FetchFrom, NoMoreThanSixteen) {
  Json body = {{"a", Json::array()}};
  for (int i = 0; i < 16; ++i) body["a"].push_back({{"image_url", url("a.png")}});
  with_fetched(body, limits_);
  body["a"].push_back({{"image_url", url("a.png")}});
  try {
    with_fetched(body, limits_);
    FAIL() << "seventeen";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.code, "too_many_images");
    EXPECT_EQ(refusal.param, "a[16].image_url");
  }
}

}  // namespace
}  // namespace janus::serve
