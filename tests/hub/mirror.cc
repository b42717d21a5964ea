// See mirror.h. HTTP/1.1 with one request a connection. SPDX-License-Identifier: MIT
#include "hub/mirror.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/sha1.h"
#include "base/sha256.h"

namespace janus {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

// Until the empty line; false when the client goes before.
bool read_request(int connection, MirrorRequest& request) {
  std::string text;
  while (text.find("\r\n\r\n") == std::string::npos) {
    char piece[4096];
    const ssize_t got = ::recv(connection, piece, sizeof piece, 0);
    if (got <= 0) return false;
    text.append(piece, static_cast<size_t>(got));
    if (text[0] < 'A' || text[0] > 'Z') return false;  // no HTTP: someone tries to encrypt
  }
  std::istringstream lines(text);
  std::string line, method;
  std::getline(lines, line);
  std::istringstream(line) >> method >> request.path;
  while (std::getline(lines, line) && line != "\r") {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' '));
    if (value.ends_with('\r')) value.pop_back();
    request.headers[lower(line.substr(0, colon))] = value;
  }
  return method == "GET";
}

MirrorAnswer refusal(int status, const std::string& code) {
  return {status, {{"X-Error-Code", code}, {"X-Error-Message", "message of " + code}}, code};
}

}  // namespace

std::string MirrorFile::sum() const {
  if (large) return sha256_hex(content);
  return sha1_hex("blob " + std::to_string(content.size()) + std::string(1, '\0') + content);
}

Mirror::Mirror() {
  ::setenv("no_proxy", "127.0.0.1", 1);  // whatever this machine uses besides
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof place;
  auto* address = reinterpret_cast<sockaddr*>(&place);
  EXPECT_EQ(::bind(listener_, address, size), 0);
  EXPECT_EQ(::listen(listener_, 64), 0);
  EXPECT_EQ(::getsockname(listener_, address, &size), 0);
  port_ = ntohs(place.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

Mirror::~Mirror() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (const int connection : connections_) {
      if (connection >= 0) ::shutdown(connection, SHUT_RDWR);
    }
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

std::string Mirror::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void Mirror::put(const std::string& repo, const std::string& revision, const std::string& commit,
                 const MirrorFiles& files) {
  const std::lock_guard lock(mutex_);
  std::erase_if(revisions_,
                [&](const Revision& one) { return one.repo == repo && one.name == revision; });
  revisions_.push_back({repo, revision, commit, files});
}

void Mirror::send_large_to(const std::string& url) {
  const std::lock_guard lock(mutex_);
  elsewhere_ = url;
}

void Mirror::on_answer(std::function<void(const MirrorRequest&, MirrorAnswer&)> change) {
  const std::lock_guard lock(mutex_);
  change_ = std::move(change);
}

std::vector<MirrorRequest> Mirror::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

int Mirror::count(const std::string& end) const {
  const std::vector<MirrorRequest> all = requests();
  return static_cast<int>(std::count_if(all.begin(), all.end(),
                                        [&](const MirrorRequest& one) { return one.is_for(end); }));
}

int64_t Mirror::served() const {
  const std::lock_guard lock(mutex_);
  return served_;
}

void Mirror::count_served(const MirrorRequest& request, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!request.path.starts_with("/api/")) served_ += bytes;
}

int Mirror::most_at_once() const {
  const std::lock_guard lock(mutex_);
  return most_;
}

void Mirror::accept_all() {
  while (true) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (connection < 0 || stop_) {
      if (connection >= 0) ::close(connection);
      return;
    }
    connections_.push_back(connection);
    threads_.emplace_back([this, connection, place = connections_.size() - 1] {
      serve(connection);
      const std::lock_guard closing(mutex_);
      connections_[place] = -1;
      ::close(connection);
    });
  }
}

void Mirror::serve(int connection) {
  MirrorRequest request;
  if (!read_request(connection, request)) return;
  MirrorAnswer made;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    made = answer(request);
    if (change_) change_(request, made);
    most_ = std::max(most_, ++at_once_);
  }
  send_answer(connection, request, made);
}

MirrorAnswer Mirror::answer(const MirrorRequest& request) const {
  if (request.path.starts_with("/api/models/")) return list(request.path.substr(12));
  return resolve(request);
}

// org/name/revision/REVISION?blobs=true
MirrorAnswer Mirror::list(const std::string& path) const {
  const size_t mark = path.find("/revision/");
  const std::string repo = path.substr(0, mark);
  if (mark == std::string::npos || !path.ends_with("?blobs=true")) return {400, {}, "?"};
  const std::string revision = path.substr(mark + 10, path.size() - mark - 21);
  bool known = false;
  for (const Revision& one : revisions_) {
    known = known || one.repo == repo;
    if (one.repo != repo || (one.name != revision && one.commit != revision)) continue;
    nlohmann::json siblings = nlohmann::json::array();
    for (const auto& [name, file] : one.files) {
      nlohmann::json entry{{"rfilename", name}, {"size", file.content.size()}};
      entry["blobId"] = MirrorFile{"pointer to " + file.content}.sum();
      if (file.large) {
        entry["lfs"] = {
            {"sha256", file.sum()}, {"size", file.content.size()}, {"pointerSize", 134}};
      } else {
        entry["blobId"] = file.sum();
      }
      siblings.push_back(entry);
    }
    return {
        200, {}, nlohmann::json{{"id", repo}, {"sha", one.commit}, {"siblings", siblings}}.dump()};
  }
  return refusal(404, known ? "RevisionNotFound" : "RepoNotFound");
}

// /org/name/resolve/COMMIT/FILE, or /stored/SUM where large files are redirected to.
MirrorAnswer Mirror::resolve(const MirrorRequest& request) const {
  for (const Revision& one : revisions_) {
    for (const auto& [name, file] : one.files) {
      const bool stored = request.path == "/stored/" + file.sum();
      if (!stored && request.path != "/" + one.repo + "/resolve/" + one.commit + "/" + name)
        continue;
      if (!stored && file.large && !elsewhere_.empty()) {
        return {302,
                {{"Location", elsewhere_ + "/stored/" + file.sum()},
                 {"X-Linked-Etag", '"' + file.sum() + '"'}},
                "moved"};
      }
      MirrorAnswer made{
          200, {{"X-Repo-Commit", one.commit}, {"ETag", '"' + file.sum() + '"'}}, file.content};
      const auto range = request.headers.find("range");
      if (range == request.headers.end()) return made;
      const size_t from = std::stoull(range->second.substr(std::string("bytes=").size()));
      if (from >= file.content.size()) return {416, {}, ""};
      const std::string total = std::to_string(file.content.size());
      made.status = 206;
      made.body = file.content.substr(from);
      made.headers["Content-Range"] = "bytes " + std::to_string(from) + "-" +
                                      std::to_string(file.content.size() - 1) + "/" + total;
      return made;
    }
  }
  return refusal(404, "EntryNotFound");
}

void Mirror::send_answer(int connection, const MirrorRequest& request, const MirrorAnswer& answer) {
  std::string head =
      "HTTP/1.1 " + std::to_string(answer.status) +
      " Status\r\nConnection: close\r\nContent-Length: " + std::to_string(answer.body.size()) +
      "\r\n";
  for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
  head += "\r\n";
  ::send(connection, head.data(), head.size(), MSG_NOSIGNAL);
  std::this_thread::sleep_for(std::chrono::milliseconds(answer.delay));
  {
    // Who has the body may ask for the next file before this thread goes on.
    const std::lock_guard lock(mutex_);
    --at_once_;
  }
  const auto end = answer.cut >= 0 ? static_cast<size_t>(answer.cut) : answer.body.size();
  for (size_t at = 0; at < std::min(end, answer.body.size());) {
    const size_t piece = std::min<size_t>(end - at, 65536);
    count_served(request, static_cast<int64_t>(piece));  // before the client can have it
    const ssize_t sent = ::send(connection, answer.body.data() + at, piece, MSG_NOSIGNAL);
    count_served(request, std::max<ssize_t>(sent, 0) - static_cast<int64_t>(piece));
    if (sent <= 0) break;
    at += static_cast<size_t>(sent);
  }
  char byte = 0;
  if (answer.stall) ::recv(connection, &byte, 1, 0);  // until the client or the test ends it
  ::shutdown(connection, SHUT_WR);
}

}  // namespace janus
