// One file over HTTP by libcurl: what is asked, what the answer means. Redirects are followed here
// and not by the library, because two promises hang on them: the token goes to the Hub's own origin
// and nowhere else, and every attempt begins at the Hub, as the signed addresses it hands out
// expire. SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>

#include "hub/options.h"
#include "hub/refusal.h"

namespace janus {

// Where the bytes of an answer go.
class Receiver {
 public:
  virtual ~Receiver() = default;
  // Bytes that are here. Asked before each request, which is then for those behind them.
  virtual int64_t held() const = 0;
  virtual void clear() = 0;
  virtual void add(std::span<const std::byte> bytes) = 0;
  // Everything has come. Returns what is wrong with it, after dropping it all; empty: nothing is.
  virtual std::string finish() = 0;
};

struct Get {
  std::string url;
  Subject subject;
  int64_t size = -1;  // promised; -1: unknown
  Receiver* into = nullptr;
};

class Transfer {
 public:
  // What the end of a request calls for.
  struct Next {
    enum Kind {
      done,
      at_once,  // a redirect to follow, or wrong bytes once
      later,    // `why`: what may pass
    };
    Kind kind = done;
    std::string why = {};
    std::chrono::seconds wait{0};  // that the server asks for
    bool unreached = false;        // no server was found, or none took the connection
  };

  Transfer(const HubOptions& options, const Get& get);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Makes the next request ready; its handle lives until the next call.
  CURL* prepare();
  // Throws for whatever no repetition would cure, and for what the receiver threw. A server that
  // cannot be reached may come back where there has been contact before; else it is an error.
  Next ended(CURLcode result, bool contact);

  const Get& get() const { return get_; }

 private:
  struct Closing {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  static size_t on_body(char* bytes, size_t one, size_t count, void* self);
  bool take(std::span<const std::byte> bytes);
  bool begin_body();
  Next answered(long status);
  Next redirected();
  Next received();
  Next wrong(const std::string& what);
  Next broken(CURLcode result, bool contact);

  const HubOptions& options_;
  Get get_;
  std::string url_;  // of the present request
  int hops_ = 0;
  int wrong_ = 0;  // times that all came and was not what was promised
  std::unique_ptr<CURL, Closing> handle_;
  std::unique_ptr<curl_slist, Closing> headers_;
  char detail_[CURL_ERROR_SIZE] = "";

  // Of the present answer:
  std::exception_ptr failure_;
  int64_t from_ = 0;         // where the bytes asked for begin
  int64_t ignored_ = 0;      // bytes of a text that explains a refusal
  bool begun_ = false;       // its first bytes have come
  bool wanted_ = false;      // they are those of the file
  bool elsewhere_ = false;   // they are from another place of it
  bool overflowed_ = false;  // there are more than promised
};

// Whether two addresses have the same scheme, host and port.
bool same_origin(const std::string& one, const std::string& other);
// Whether a redirect may be followed: to the web alone, and never out of an encrypted connection.
bool may_follow(const std::string& from, const std::string& to);
// Throws Code::bad_input for anything but http(s)://host[:port][/path] without a password in it.
void check_endpoint(const std::string& endpoint);
// Throws Code::bad_input for letters that no token has: they would end up in a header.
void check_token(const std::string& token);

}  // namespace janus
