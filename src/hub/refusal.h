// What went wrong on the network, in words: what, where, and the likely cure. The Hub's own reasons
// come in the headers X-Error-Code and X-Error-Message. SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include <string>

namespace janus {

// What a request is about, for messages.
struct Subject {
  std::string repo;
  std::string revision;
  std::string file;  // empty: the list of files

  std::string text() const { return file.empty() ? repo : repo + ": " + file; }
};

struct Refusal {
  long status = 0;
  std::string code;     // X-Error-Code
  std::string message;  // X-Error-Message
  std::string host;
  std::string endpoint;
  bool with_token = false;
};

// Statuses that may pass by themselves: too many requests, a gateway that is down.
bool may_pass(long status);
// Throws the Error of an HTTP status.
[[noreturn]] void fail_refused(const Subject& subject, const Refusal& refusal);

bool may_pass(CURLcode result);
// Why nothing came, in a few words; `detail` is what the library says.
std::string why_broken(CURLcode result, const std::string& host, const std::string& detail,
                       bool connected, int stall_seconds);
// Throws the Error of a connection that could not be had.
[[noreturn]] void fail_broken(const Subject& subject, CURLcode result, const std::string& why);

}  // namespace janus
