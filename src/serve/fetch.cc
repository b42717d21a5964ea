// SPDX-License-Identifier: MIT
#include "serve/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "io/base64.h"
#include "serve/pictures.h"
#include "serve/refusal.h"

namespace janus::serve {

namespace {

using Clock = std::chrono::steady_clock;

constexpr long kMostRedirects = 3;

struct Block {
  uint32_t begin;
  int bits;
};

// https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast.
constexpr std::array<Block, 15> kSpecial = {{{0x00000000, 8},    // this network
                                             {0x0A000000, 8},    // private
                                             {0x64400000, 10},   // shared
                                             {0x7F000000, 8},    // loopback
                                             {0xA9FE0000, 16},   // link local
                                             {0xAC100000, 12},   // private
                                             {0xC0000000, 24},   // protocols
                                             {0xC0000200, 24},   // documentation
                                             {0xC0586300, 24},   // 6to4 relays
                                             {0xC0A80000, 16},   // private
                                             {0xC6120000, 15},   // benchmarks
                                             {0xC6336400, 24},   // documentation
                                             {0xCB007100, 24},   // documentation
                                             {0xE0000000, 4},    // multicast
                                             {0xF0000000, 4}}};  // reserved, broadcast

bool is_public_v4(uint32_t address) {
  for (const Block& block : kSpecial) {
    if ((address ^ block.begin) >> (32 - block.bits) == 0) return false;
  }
  return true;
}

// Global unicast is 2000::/3. Of that 2001::/23 is for protocols (Teredo among them), 2001:db8::/32
// and 3fff::/20 for documentation, and 2002::/16 holds IPv4 addresses of any kind.
bool is_public_v6(const in6_addr& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    uint32_t inner = 0;
    std::copy_n(address.s6_addr + 12, 4, reinterpret_cast<uint8_t*>(&inner));
    return is_public_v4(ntohl(inner));
  }
  const auto word = [&](int i) {
    return static_cast<unsigned>(address.s6_addr[2 * i]) << 8 | address.s6_addr[2 * i + 1];
  };
  if (word(0) >> 13 != 1 || word(0) == 0x2002) return false;
  if (word(0) == 0x2001 && (word(1) < 0x200 || word(1) == 0xdb8)) return false;
  return !(word(0) == 0x3fff && word(1) < 0x1000);
}

// libcurl counts who uses it.
struct Library {
  Library() : ready(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {}
  ~Library() {
    if (ready) curl_global_cleanup();
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  const bool ready;
};

// One picture on its way.
struct Fetch {
  const FetchLimits& limits;
  std::string bytes = {};
  bool elsewhere = false;  // an address that is not allowed
  bool too_large = false;

  static size_t on_bytes(const char* data, size_t size, size_t count, void* self) {
    Fetch& fetch = *static_cast<Fetch*>(self);
    const size_t all = size * count;
    fetch.too_large = static_cast<int64_t>(fetch.bytes.size() + all) > fetch.limits.bytes;
    if (fetch.too_large) return 0;  // ends it
    fetch.bytes.append(data, all);
    return all;
  }
  static curl_socket_t on_socket(void* self, curlsocktype, curl_sockaddr* where) {
    Fetch& fetch = *static_cast<Fetch*>(self);
    fetch.elsewhere = !fetch.limits.allowed(where->addr);
    if (fetch.elsewhere) return CURL_SOCKET_BAD;
    return ::socket(where->family, where->socktype | SOCK_CLOEXEC, where->protocol);
  }
};

[[noreturn]] void refuse(const char* code, const std::string& param, const std::string& what) {
  throw Refusal(400, code, param + " " + what, param);
}

std::string fetched(const std::string& url, const std::string& param, const FetchLimits& limits,
                    Clock::time_point deadline) {
  const Library library;
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(library.ready ? curl_easy_init() : nullptr,
                                                      curl_easy_cleanup);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (!handle || left <= 0) refuse("invalid_image", param, "could not be fetched in time");
  Fetch fetch{limits};
  CURL* const to = handle.get();
  curl_easy_setopt(to, CURLOPT_URL, url.c_str());
  curl_easy_setopt(to, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(to, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(to, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(to, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(to, CURLOPT_PROXY, "");
  curl_easy_setopt(to, CURLOPT_TIMEOUT_MS, static_cast<long>(left));
  curl_easy_setopt(to, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(to, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(to, CURLOPT_USERAGENT, "januspro");
  curl_easy_setopt(to, CURLOPT_OPENSOCKETFUNCTION, &Fetch::on_socket);
  curl_easy_setopt(to, CURLOPT_OPENSOCKETDATA, &fetch);
  curl_easy_setopt(to, CURLOPT_WRITEFUNCTION, &Fetch::on_bytes);
  curl_easy_setopt(to, CURLOPT_WRITEDATA, &fetch);
  const CURLcode code = curl_easy_perform(to);
  if (fetch.elsewhere) {
    refuse("remote_image_refused", param,
           "leads to an address of this machine or of a private network, which is not asked");
  }
  if (fetch.too_large) {
    refuse("image_too_large", param,
           "leads to more than " + std::to_string(limits.bytes >> 20) + " MiB");
  }
  if (code != CURLE_OK) {
    refuse("invalid_image", param,
           std::string("could not be fetched: ") + curl_easy_strerror(code));
  }
  return std::move(fetch.bytes);
}

struct Walk {
  const FetchLimits& limits;
  Clock::time_point deadline;
  size_t pictures = 0;

  void fetch(Json& url, const std::string& param) {
    if (!url.is_string()) return;
    const std::string& text = url.get_ref<const std::string&>();
    if (!text.starts_with("http://") && !text.starts_with("https://")) return;
    if (++pictures > kMostPictures) {
      throw Refusal(400, "too_many_images", "more than 16 pictures in one request", param);
    }
    url = "data:image/any;base64," + to_base64(fetched(text, param, limits, deadline));
  }

  void visit(Json& json, const std::string& path) {
    if (json.is_array()) {
      for (size_t i = 0; i < json.size(); ++i) {
        visit(json[i], path + "[" + std::to_string(i) + "]");
      }
    }
    if (!json.is_object()) return;
    for (auto& [name, value] : json.items()) {
      const std::string param = path.empty() ? name : path + "." + name;
      if (name != "image_url") {
        visit(value, param);
      } else if (value.is_object() && value.contains("url")) {
        fetch(value["url"], param + ".url");
      } else {
        fetch(value, param);
      }
    }
  }
};

}  // namespace

bool is_public(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return is_public_v4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  }
  return address.sa_family == AF_INET6 &&
         is_public_v6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

Json with_fetched(Json body, const FetchLimits& limits) {
  const auto patience =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limits.seconds));
  Walk{limits, Clock::now() + patience}.visit(body, "");
  return body;
}

}  // namespace janus::serve
