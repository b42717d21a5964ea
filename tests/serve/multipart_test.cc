// Forms as clients send them, and what is none. SPDX-License-Identifier: MIT
#include "serve/multipart.h"

#include <gtest/gtest.h>

#include <string>

namespace janus::serve {
namespace {

constexpr const char* kType = "multipart/form-data; boundary=x-1";

std::string part(const std::string& disposition, const std::string& content) {
  return "--x-1\r\nContent-Disposition: form-data; " + disposition +
         "\r\nContent-Type: text/plain\r\n\r\n" + content + "\r\n";
}

TEST(Multipart, FieldsAndFilesInTheirOrder) {
  const std::string binary("\r\n--x\r\n\0--x-", 12);
  const std::string body = "a preamble\r\n" + part("name=\"prompt\"", "a red ball") +
                           part("name=\"image[]\"; filename=\"a;\\\"b.png\"", binary) +
                           part("name=empty", "") + part("filename*=UTF-8''x; name=\"q%22\"", "4") +
                           "--x-1--\r\nan epilogue";
  const auto parts = parse_multipart(kType, body);
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0].name, "prompt");
  EXPECT_EQ(parts[0].content, "a red ball");
  EXPECT_FALSE(parts[0].is_file);
  EXPECT_EQ(parts[1].name, "image[]");
  EXPECT_EQ(parts[1].content, binary);
  EXPECT_TRUE(parts[1].is_file);
  EXPECT_EQ(parts[2].name, "empty");
  EXPECT_EQ(parts[2].content, "");
  EXPECT_EQ(parts[3].name, "q\"");
  EXPECT_TRUE(parts[3].is_file);
  EXPECT_TRUE(parse_multipart("multipart/form-data; boundary=\"x-1\"", "--x-1--").empty());
}

TEST(Multipart, WhatIsNoneIsRefused) {
  const std::string good = part("name=\"a\"", "1");
  std::string crowd;
  for (int i = 0; i < 65; ++i) crowd += good;
  const std::pair<const char*, std::string> cases[] = {
      {"multipart/form-data", good + "--x-1--"},
      {"multipart/form-data; boundary=", good + "--x-1--"},
      {kType, ""},
      {kType, "--y--"},
      {kType, good},  // no end
      {kType, "--x-1\r\nContent-Disposition: form-data; name=\"a\"\r\n"},
      {kType, "--x-1\r\n\r\n1\r\n--x-1--"},  // no name
      {kType, "--x-1 junk\r\n\r\n1\r\n--x-1--"},
      {kType, "--x-1\r\nA: " + std::string(9000, 'a') + "\r\n\r\n1\r\n--x-1--"},
      {kType, crowd + "--x-1--"},
  };
  for (const auto& [type, body] : cases) {
    EXPECT_THROW(parse_multipart(type, body), Refusal) << body.substr(0, 60);
  }
}

TEST(Multipart, IsToldByItsContentType) {
  EXPECT_TRUE(is_multipart("multipart/form-data; boundary=x"));
  EXPECT_TRUE(is_multipart("Multipart/Form-Data"));
  EXPECT_FALSE(is_multipart("multipart/mixed; boundary=x"));
  EXPECT_FALSE(is_multipart("application/json"));
  EXPECT_FALSE(is_multipart(""));
}

}  // namespace
}  // namespace janus::serve
