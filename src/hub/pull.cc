// The story of a pull: list, choose, look what is here, fetch, link, and last the ref.
// SPDX-License-Identifier: MIT
#include "hub/pull.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/error.h"
#include "hub/cache.h"
#include "hub/fetch.h"
#include "hub/files.h"
#include "hub/listing.h"
#include "hub/partial.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestListing = 64'000'000;

// The answer that lists the files.
class TextReceiver : public Receiver {
 public:
  int64_t held() const override { return 0; }  // begun anew every time
  void clear() override { text_.clear(); }
  void add(std::span<const std::byte> bytes) override {
    check(text_.size() + bytes.size() <= kLongestListing, Code::bad_checkpoint,
          "the list of files that the server sends does not end; is HF_ENDPOINT right?");
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string finish() override { return ""; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// One blob and the names under which the snapshot shows it.
struct Wanted {
  RemoteFile file;
  std::vector<std::string> names;
  std::optional<Descriptor> lock = {};
  std::unique_ptr<PartialFile> partial = {};  // null once it is here
};

bool has_size(const fs::path& path, int64_t size) {
  std::error_code error;
  const auto found = fs::file_size(path, error);
  return !error && found == static_cast<uintmax_t>(size);
}

std::string gigabytes(int64_t bytes) {
  char text[40];
  std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

class Pull {
 public:
  Pull(const ModelName& name, const HubOptions& options, const PullEvents& events)
      : name_(name), options_(options), events_(events), cache_(options.cache) {}

  Pulled run();

 private:
  Pulled offline() const;
  void list(Fetcher& fetcher);
  void choose();
  bool is_here(const Wanted& wanted) const;
  void check_room() const;
  void open_partials();
  void take_lock(Wanted& wanted);
  void fetch(Fetcher& fetcher);
  void finish(Wanted& wanted) const;
  void link(const Wanted& wanted) const;
  void tick() const;

  const ModelName& name_;
  const HubOptions& options_;
  const PullEvents& events_;
  const Cache cache_;
  Listing listing_;
  std::string url_;  // of the listing
  std::vector<Wanted> wanted_;
  PullProgress::Stage stage_ = PullProgress::checking;
  int64_t missing_ = 0;  // bytes of files that are not whole here
  int64_t asked_ = 0;    // of those, what no earlier pull had brought
};

void Pull::tick() const {
  PullProgress progress{stage_, 0, missing_};
  for (const Wanted& wanted : wanted_) {
    if (wanted.partial) progress.done += wanted.partial->held();
  }
  check(!events_.on_progress || events_.on_progress(progress), Code::cancelled,
        "interrupted; what was fetched is kept, the same command goes on from there");
}

void Pull::list(Fetcher& fetcher) {
  TextReceiver answer;
  url_ = listing_url(options_.endpoint, name_);
  const Get get{url_, {name_.repo, name_.revision_or_main(), ""}, -1, &answer};
  fetcher.get(std::span(&get, 1), [](size_t) {});
  listing_ = parse_listing(answer.text(), url_);
}

// Files of one content are one blob.
void Pull::choose() {
  std::map<std::string, RemoteFile> by_name;
  for (const RemoteFile& file : listing_.files) by_name[file.name] = file;
  std::set<std::string> names;
  for (const auto& [name, file] : by_name) names.insert(name);
  std::map<std::string, Wanted> by_sum;
  for (const std::string& name : needed_files(names, name_.repo)) {
    const RemoteFile& file = by_name.at(name);
    check_promise(file, url_);
    Wanted& wanted = by_sum.try_emplace(file.sum, Wanted{file, {}}).first->second;
    check(wanted.file.size == file.size, Code::bad_checkpoint, url_, ": gives ", wanted.file.name,
          " and ", name, " the same sum and different sizes; is HF_ENDPOINT right?");
    wanted.names.push_back(name);
  }
  for (auto& [sum, wanted] : by_sum) wanted_.push_back(std::move(wanted));
}

bool Pull::is_here(const Wanted& wanted) const {
  return has_size(cache_.blob(name_.repo, wanted.file.sum), wanted.file.size);
}

void Pull::check_room() const {
  int64_t needed = 0;
  for (const Wanted& wanted : wanted_) {
    if (is_here(wanted)) continue;
    const fs::path partial = PartialFile::path_of(cache_.blob(name_.repo, wanted.file.sum));
    std::error_code error;
    const auto held = fs::file_size(partial, error);
    const bool usable = !error && held <= static_cast<uintmax_t>(wanted.file.size);
    needed += wanted.file.size - (usable ? static_cast<int64_t>(held) : 0);
  }
  std::error_code error;
  const fs::space_info space = fs::space(cache_.repo(name_.repo), error);
  if (error) return;  // the disk will say so itself
  check(static_cast<uintmax_t>(needed) <= space.available, Code::device_failure, name_.repo,
        ": takes ", gigabytes(needed), ", and only ",
        gigabytes(static_cast<int64_t>(std::min<uintmax_t>(space.available, INT64_MAX))),
        " are free at ", cache_.root(),
        "; free some, with `januspro rm` perhaps, or name another place in HF_HUB_CACHE");
}

void Pull::take_lock(Wanted& wanted) {
  bool told = false;
  while (!(wanted.lock = cache_.lock(name_.repo, wanted.file.sum))) {
    if (!told && events_.log) {
      events_.log(name_.repo + ": " + wanted.names.front() +
                  " is being fetched by another program; waiting for it");
    }
    told = true;
    tick();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// In the order of sums, so that two programs that fetch two revisions cannot wait for each other.
void Pull::open_partials() {
  for (const Wanted& wanted : wanted_) {
    if (!is_here(wanted)) missing_ += wanted.file.size;
  }
  for (Wanted& wanted : wanted_) {
    if (is_here(wanted)) continue;
    take_lock(wanted);
    if (is_here(wanted)) {  // the other program has brought it
      missing_ -= wanted.file.size;
      wanted.lock.reset();
      continue;
    }
    const fs::path blob = cache_.blob(name_.repo, wanted.file.sum);
    wanted.partial = std::make_unique<PartialFile>(blob, wanted.file.size);
    wanted.partial->take_over([this] { tick(); });
  }
}

// Small files first: the configuration is there while weights still come.
void Pull::fetch(Fetcher& fetcher) {
  stage_ = PullProgress::fetching;
  std::vector<Wanted*> open;
  for (Wanted& wanted : wanted_) {
    if (!wanted.partial) continue;
    // An earlier pull may have been cut after the last byte; what is wrong is fetched again.
    const bool whole = wanted.partial->is_whole() && wanted.partial->finish().empty();
    if (whole) finish(wanted);
    if (whole) continue;
    asked_ += wanted.file.size - wanted.partial->held();
    open.push_back(&wanted);
  }
  std::stable_sort(open.begin(), open.end(),
                   [](const Wanted* a, const Wanted* b) { return a->file.size < b->file.size; });
  std::vector<Get> gets;
  for (const Wanted* wanted : open) {
    const std::string& file = wanted->names.front();
    gets.push_back({file_url(options_.endpoint, name_.repo, listing_.commit, file),
                    {name_.repo, name_.revision_or_main(), file},
                    wanted->file.size,
                    wanted->partial.get()});
  }
  fetcher.get(gets, [&](size_t i) { finish(*open[i]); });
}

void Pull::finish(Wanted& wanted) const {
  wanted.lock.reset();
  link(wanted);
}

void Pull::link(const Wanted& wanted) const {
  for (const std::string& name : wanted.names) {
    cache_.link(name_.repo, listing_.commit, name, wanted.file.sum);
  }
}

Pulled Pull::offline() const {
  Pulled pulled;
  try {
    pulled.path = find_pulled(cache_, name_);
  } catch (const Error& error) {
    fail(error.code(), error.what(), " (once HF_HUB_OFFLINE is no longer set)");
  }
  pulled.commit = pulled.path.filename().string();
  for (const auto& entry : fs::directory_iterator(pulled.path)) {
    std::error_code error;
    const auto size = entry.file_size(error);
    if (error) continue;
    ++pulled.files;
    pulled.bytes += static_cast<int64_t>(size);
  }
  return pulled;
}

Pulled Pull::run() {
  if (options_.offline) return offline();
  Fetcher fetcher(
      options_, [this] { tick(); }, events_.log);
  list(fetcher);
  choose();
  cache_.prepare(name_.repo, listing_.commit);
  check_room();
  open_partials();
  for (const Wanted& wanted : wanted_) {
    if (!wanted.partial) link(wanted);
  }
  fetch(fetcher);
  Pulled pulled{listing_.commit, cache_.snapshot(name_.repo, listing_.commit), 0, 0, asked_};
  for (const Wanted& wanted : wanted_) {
    pulled.files += static_cast<int>(wanted.names.size());
    pulled.bytes += wanted.file.size;
  }
  std::string missing;
  for (const std::string& name : missing_files(pulled.path)) missing += " " + name;
  check(missing.empty(), Code::bad_checkpoint, name_.text(),
        ": the repository itself is incomplete, it lacks", missing);
  cache_.set_ref(name_.repo, name_.revision_or_main(), listing_.commit);
  return pulled;
}

}  // namespace

Pulled pull_model(const ModelName& name, const HubOptions& options, const PullEvents& events) {
  return Pull(name, options, events).run();
}

}  // namespace janus
