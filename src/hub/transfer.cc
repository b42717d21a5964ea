// See transfer.h. libcurl calls on_body() in the middle of its own work, so what is thrown there is
// kept and thrown again once it has returned. SPDX-License-Identifier: MIT
#include "hub/transfer.h"

#include <algorithm>

#include "base/error.h"
#include "hub/listing.h"

namespace janus {
namespace {

constexpr int kMostHops = 10;
constexpr long kConnectSeconds = 20;
constexpr long kSlow = 1000;  // bytes a second, and fewer: a stall
constexpr int64_t kMostIgnored = 1 << 16;

struct UrlClosing {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(char* text) const { curl_free(text); }
};
using Url = std::unique_ptr<CURLU, UrlClosing>;

// Null when it is none.
Url parse_url(const std::string& text) {
  Url url(curl_url());
  const bool ok = url && curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  return ok ? std::move(url) : Url();
}

// Empty when the address has no such part.
std::string url_part(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (!url || curl_url_get(url.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return "";
  return std::unique_ptr<char, UrlClosing>(text).get();
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

std::string host_of(const std::string& url) {
  const std::string host = url_part(parse_url(url), CURLUPART_HOST);
  return host.empty() ? url : host;
}

// The option's type must be the one that libcurl reads: long, a pointer, or curl_off_t.
template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
  const CURLcode result = curl_easy_setopt(handle, option, value);
  check(result == CURLE_OK, Code::not_supported, "this libcurl refuses option ",
        static_cast<int>(option), ": ", curl_easy_strerror(result), "; it is too old or too bare");
}

std::string header_of(CURL* handle, const char* name) {
  curl_header* header = nullptr;
  if (curl_easy_header(handle, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return "";
  return header->value;
}

// `bytes 100-199/200` -> 100; -1 when it says nothing of the kind.
int64_t range_start(const std::string& text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return -1;
  int64_t start = 0;
  size_t digits = 0;
  for (size_t at = kUnit.size(); at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    if (++digits > 18) return -1;
    start = 10 * start + (text[at] - '0');
  }
  return digits > 0 ? start : -1;
}

}  // namespace

bool same_origin(const std::string& one, const std::string& other) {
  const Url a = parse_url(one), b = parse_url(other);
  if (!a || !b) return false;
  for (const CURLUPart part : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
    const std::string value = url_part(a, part);
    if (value.empty() || lower(value) != lower(url_part(b, part))) return false;
  }
  return true;
}

bool may_follow(const std::string& from, const std::string& to) {
  const std::string scheme = lower(url_part(parse_url(to), CURLUPART_SCHEME));
  const bool was_encrypted = lower(url_part(parse_url(from), CURLUPART_SCHEME)) != "http";
  return scheme == "https" || (scheme == "http" && !was_encrypted);
}

void check_endpoint(const std::string& endpoint) {
  const Url url = parse_url(endpoint);
  const std::string scheme = lower(url_part(url, CURLUPART_SCHEME));
  const bool plain = (scheme == "http" || scheme == "https") &&
                     !url_part(url, CURLUPART_HOST).empty() &&
                     endpoint.find_first_of("?#@ ") == std::string::npos;
  check(
      plain, Code::bad_input, "HF_ENDPOINT is '", printable(endpoint),
      "', which is no address of a server: write https://host, and a port or path behind it where "
      "there is one");
}

void check_token(const std::string& token) {
  const bool plain =
      std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  check(
      plain, Code::bad_input,
      "the token for the Hub holds characters that no token has (spaces, line ends, accents): look "
      "at HF_TOKEN, or at the file $HF_HOME/token");
}

Transfer::Transfer(const HubOptions& options, const Get& get)
    : options_(options), get_(get), url_(get.url) {}

CURL* Transfer::prepare() {
  failure_ = nullptr;
  from_ = get_.into->held();
  ignored_ = 0;
  begun_ = wanted_ = elsewhere_ = overflowed_ = false;
  detail_[0] = '\0';

  curl_slist* headers = curl_slist_append(nullptr, "Accept-Encoding: identity");
  if (!options_.token.empty() && same_origin(url_, options_.endpoint)) {
    headers = curl_slist_append(headers, ("Authorization: Bearer " + options_.token).c_str());
  }
  headers_.reset(headers);
  handle_.reset(curl_easy_init());
  CURL* handle = handle_.get();
  check(handle != nullptr, Code::out_of_memory, "libcurl could not make a connection");
  set(handle, CURLOPT_URL, url_.c_str());
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_HTTPHEADER, headers);
  set(handle, CURLOPT_USERAGENT, options_.agent.c_str());
  set(handle, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});  // a connection for each file
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_NOPROGRESS, 1L);
  set(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(handle, CURLOPT_LOW_SPEED_LIMIT, kSlow);
  set(handle, CURLOPT_LOW_SPEED_TIME, long{options_.stall_seconds});
  set(handle, CURLOPT_BUFFERSIZE, 1L << 18);
  set(handle, CURLOPT_ERRORBUFFER, static_cast<char*>(detail_));
  set(handle, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(handle, CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(handle, CURLOPT_PRIVATE, static_cast<void*>(this));
  if (from_ > 0) set(handle, CURLOPT_RANGE, (std::to_string(from_) + "-").c_str());
  return handle;
}

size_t Transfer::on_body(char* bytes, size_t one, size_t count, void* self) {
  const size_t size = one * count;
  auto* transfer = static_cast<Transfer*>(self);
  try {
    return transfer->take(std::as_bytes(std::span(bytes, size))) ? size : CURL_WRITEFUNC_ERROR;
  } catch (...) {
    transfer->failure_ = std::current_exception();
    return CURL_WRITEFUNC_ERROR;
  }
}

// Looks at what kind of answer it is; false: of no use.
bool Transfer::begin_body() {
  begun_ = true;
  long status = 0;
  curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
  wanted_ = status == 200 || status == 206;
  if (status == 200) get_.into->clear();  // the whole, also where only a part was asked for
  if (status == 206) {
    elsewhere_ = range_start(header_of(handle_.get(), "Content-Range")) != from_;
    if (elsewhere_) get_.into->clear();
  }
  return !elsewhere_;
}

bool Transfer::take(std::span<const std::byte> bytes) {
  if (!begun_ && !begin_body()) return false;
  const auto count = static_cast<int64_t>(bytes.size());
  if (!wanted_) {
    ignored_ += count;
    return ignored_ <= kMostIgnored;
  }
  overflowed_ = get_.size >= 0 && get_.into->held() + count > get_.size;
  if (overflowed_) return false;
  get_.into->add(bytes);
  return true;
}

Transfer::Next Transfer::ended(CURLcode result, bool contact) {
  if (failure_) std::rethrow_exception(failure_);
  if (overflowed_) return wrong("more bytes than the " + std::to_string(get_.size) + " promised");
  if (elsewhere_) {
    return {Next::later, host_of(url_) + " sent another part of the file than was asked for"};
  }
  long status = 0;
  curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
  const bool is_answer = result == CURLE_OK || (result == CURLE_WRITE_ERROR && !wanted_);
  return is_answer ? answered(status) : broken(result, contact);
}

Transfer::Next Transfer::answered(long status) {
  if (status == 200 || status == 206) return received();
  if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
    return redirected();
  }
  if (status == 416 && from_ > 0) {
    get_.into->clear();
    return {Next::later, host_of(url_) + " does not know the part of the file that was asked for"};
  }
  const bool with_token = !options_.token.empty() && same_origin(url_, options_.endpoint);
  const Refusal refusal{status,
                        header_of(handle_.get(), "X-Error-Code"),
                        header_of(handle_.get(), "X-Error-Message"),
                        host_of(url_),
                        options_.endpoint,
                        with_token};
  if (!may_pass(status)) fail_refused(get_.subject, refusal);
  url_ = get_.url;
  curl_off_t wait = 0;
  curl_easy_getinfo(handle_.get(), CURLINFO_RETRY_AFTER, &wait);
  return {Next::later, refusal.host + " answers with status " + std::to_string(status),
          std::chrono::seconds(std::clamp<curl_off_t>(wait, 0, 1 << 20))};
}

Transfer::Next Transfer::redirected() {
  char* target = nullptr;
  curl_easy_getinfo(handle_.get(), CURLINFO_REDIRECT_URL, &target);
  const std::string where = get_.subject.text() + ": " + host_of(url_);
  check(target != nullptr, Code::device_failure, where, " redirects without saying whereto");
  check(++hops_ <= kMostHops, Code::device_failure, where, " redirects in a circle");
  const std::string next = target;
  check(may_follow(url_, next), Code::device_failure, where,
        " redirects to an address that is not encrypted or not of the web (", printable(next),
        "); it is not followed");
  url_ = next;
  return {Next::at_once};
}

Transfer::Next Transfer::received() {
  url_ = get_.url;
  hops_ = 0;
  if (get_.size >= 0 && get_.into->held() < get_.size) {
    return {Next::later, host_of(url_) + " ended the file too early"};
  }
  const std::string fault = get_.into->finish();
  return fault.empty() ? Next{} : wrong(fault);
}

Transfer::Next Transfer::wrong(const std::string& what) {
  const std::string host = host_of(url_);
  get_.into->clear();
  url_ = get_.url;
  hops_ = 0;
  check(++wrong_ < 2, Code::bad_checkpoint, get_.subject.text(), ": ", host, " sent ", what,
        ", twice in a row; it was deleted. Something on the way alters files, or the mirror is "
        "damaged: try again later, or another HF_ENDPOINT");
  return {Next::at_once};
}

Transfer::Next Transfer::broken(CURLcode result, bool contact) {
  const std::string host = host_of(url_);
  curl_off_t connected = 0;
  curl_easy_getinfo(handle_.get(), CURLINFO_PRETRANSFER_TIME_T, &connected);
  const std::string why = why_broken(result, host, detail_, connected > 0, options_.stall_seconds);
  const bool unreached = connected == 0;
  if (!may_pass(result) || (unreached && !contact)) fail_broken(get_.subject, result, why);
  url_ = get_.url;
  hops_ = 0;
  return {Next::later, why, std::chrono::seconds(0), unreached};
}

}  // namespace janus
