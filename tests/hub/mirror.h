// A small Hub of a test's own on 127.0.0.1: lists models, serves their files with ranges, sends
// large ones elsewhere if told so, and does whatever harm a test asks for. Counts what it serves.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace janus {

struct MirrorFile {
  std::string content;
  bool large = false;  // in large-file storage: named by SHA-256

  std::string sum() const;
};

using MirrorFiles = std::map<std::string, MirrorFile>;

struct MirrorRequest {
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case

  bool is_for(const std::string& end) const { return path.ends_with(end); }
};

struct MirrorAnswer {
  int status = 200;
  std::map<std::string, std::string> headers = {};
  std::string body = {};
  int64_t cut = -1;    // the connection ends after so many bytes of the body
  bool stall = false;  // … or nothing more comes
  int delay = 0;       // milliseconds before the body
};

class Mirror {
 public:
  Mirror();
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  std::string url() const;
  void put(const std::string& repo, const std::string& revision, const std::string& commit,
           const MirrorFiles& files);
  // Large files are redirected to that server, which must hold the same ones.
  void send_large_to(const std::string& url);
  // Called with every answer before it is sent, one at a time.
  void on_answer(std::function<void(const MirrorRequest&, MirrorAnswer&)> change);

  std::vector<MirrorRequest> requests() const;
  int count(const std::string& end) const;  // requests for paths with that end
  int64_t served() const;                   // bytes of bodies of files
  int most_at_once() const;                 // answers being sent

 private:
  void accept_all();
  void serve(int connection);
  MirrorAnswer answer(const MirrorRequest& request) const;
  MirrorAnswer list(const std::string& path) const;
  MirrorAnswer resolve(const MirrorRequest& request) const;
  void send_answer(int connection, const MirrorRequest& request, const MirrorAnswer& answer);
  void count_served(const MirrorRequest& request, int64_t bytes);

  struct Revision {
    std::string repo, name, commit;
    MirrorFiles files;
  };

  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Revision> revisions_;
  std::string elsewhere_;
  std::function<void(const MirrorRequest&, MirrorAnswer&)> change_;
  std::vector<MirrorRequest> requests_;
  std::vector<int> connections_;  // -1: closed
  std::vector<std::thread> threads_;
  int64_t served_ = 0;
  int at_once_ = 0, most_ = 0;
  bool stop_ = false;
  std::thread acceptor_;
};

}  // namespace janus
