// See models.h. Removal goes from names to contents: a stop in the middle leaves files that nothing
// names, never a name without its files. SPDX-License-Identifier: MIT
#include "hub/models.h"

#include <set>

#include "base/error.h"
#include "hub/files.h"
#include "hub/shared_blobs.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIncomplete = ".incomplete";

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_directory(ignored)) found.push_back(entry->path());
  }
  return found;
}

// What a snapshot's entry shows: the blob it links to, or itself where it is no link.
fs::path behind(const fs::path& entry) {
  std::error_code error;
  const fs::path target = fs::read_symlink(entry, error);
  return error ? entry : (entry.parent_path() / target).lexically_normal();
}

int64_t bytes_at(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

class Removal {
 public:
  Removal(const Cache& cache, const std::string& repo) : cache_(cache), repo_(repo) {}

  int64_t freed() const { return freed_; }
  void refuse_while_fetched();
  void remove_revision(const std::string& commit);
  void remove_all();

 private:
  void remove_file(const fs::path& path);
  void remove_folder(const fs::path& path);

  const Cache& cache_;
  const std::string& repo_;
  std::vector<Descriptor> locks_;  // of files that were on their way
  int64_t freed_ = 0;
};

// Another program that writes a blob holds its lock.
void Removal::refuse_while_fetched() {
  std::error_code error;
  if (!fs::is_directory(cache_.locks(repo_), error)) return;
  std::set<std::string> sums;
  for (const fs::path& file : files_below(cache_.repo(repo_) / "blobs")) {
    const std::string name = file.filename().string();
    if (name.ends_with(kIncomplete)) sums.insert(name.substr(0, name.find('.')));
  }
  for (const std::string& sum : sums) {
    auto lock = cache_.lock(repo_, sum);
    check(lock.has_value(), Code::busy, repo_,
          ": files of it are being fetched by another program; end that first");
    locks_.push_back(std::move(*lock));
  }
}

void Removal::remove_file(const fs::path& path) {
  const auto content = shared_content(cache_.root(), path);
  std::error_code error;
  const bool counts = fs::is_regular_file(fs::symlink_status(path, error));
  const int64_t bytes = counts ? bytes_at(path) : 0;
  fs::remove(path, error);
  check(!error, Code::device_failure, "cannot remove ", path, ": ", error.message());
  freed_ += bytes;
  if (content) freed_ += sweep_shared(cache_.root(), *content);
}

void Removal::remove_folder(const fs::path& path) {
  for (const fs::path& file : files_below(path)) remove_file(file);
  std::error_code error;
  fs::remove_all(path, error);
  check(!error, Code::device_failure, "cannot remove ", path, ": ", error.message());
}

void Removal::remove_all() {
  const fs::path folder = cache_.repo(repo_);
  for (const char* part : {"refs", "snapshots", "blobs"}) remove_folder(folder / part);
  remove_folder(folder);
  remove_folder(cache_.locks(repo_));
}

void Removal::remove_revision(const std::string& commit) {
  const fs::path folder = cache_.repo(repo_);
  std::set<std::string> needed;  // by name alone, so that no way of writing a path matters
  for (const std::string& other : cache_.commits(repo_)) {
    if (other == commit) continue;
    for (const fs::path& entry : files_below(cache_.snapshot(repo_, other))) {
      needed.insert(behind(entry).filename().string());
    }
  }
  for (const auto& [revision, meant] : cache_.refs(repo_)) {
    if (meant == commit) remove_file(folder / "refs" / revision);
  }
  // What huggingface_hub notes about a commit besides.
  remove_folder(folder / ".no_exist" / commit);
  remove_file(folder / "trees" / (commit + ".json"));
  remove_folder(cache_.snapshot(repo_, commit));
  for (const fs::path& blob : files_below(folder / "blobs")) {
    if (!needed.contains(blob.filename().string())) remove_file(blob);
  }
}

CachedRevision look_at(const Cache& cache, const std::string& repo, const std::string& commit) {
  CachedRevision revision;
  revision.commit = commit;
  revision.path = cache.snapshot(repo, commit);
  revision.missing = missing_files(revision.path);
  std::set<fs::path> contents;
  for (const fs::path& entry : files_below(revision.path)) contents.insert(behind(entry));
  for (const fs::path& content : contents) revision.bytes += bytes_at(content);
  return revision;
}

}  // namespace

std::vector<CachedModel> list_models(const Cache& cache) {
  std::vector<CachedModel> models;
  for (const std::string& repo : cache.repos()) {
    CachedModel model;
    model.repo = repo;
    const auto refs = cache.refs(repo);
    for (const std::string& commit : cache.commits(repo)) {
      model.revisions.push_back(look_at(cache, repo, commit));
      for (const auto& [name, meant] : refs) {
        if (meant == commit) model.revisions.back().refs.push_back(name);
      }
    }
    for (const fs::path& blob : files_below(cache.repo(repo) / "blobs")) {
      if (blob.filename().string().ends_with(kIncomplete)) model.partial_bytes += bytes_at(blob);
    }
    models.push_back(std::move(model));
  }
  return models;
}

Removed remove_model(const Cache& cache, const ModelName& name) {
  const std::vector<std::string> here = cache.commits(name.repo);
  std::error_code error;
  check(fs::is_directory(cache.repo(name.repo), error), Code::bad_input, name.repo, ": is not in ",
        cache.root(), "; `januspro list` shows what is");
  Removal removal(cache, name.repo);
  removal.refuse_while_fetched();
  if (name.revision.empty()) {
    removal.remove_all();
    return {here, removal.freed()};
  }
  const std::optional<std::string> commit = cache.commit_of(name);
  check(commit.has_value(), Code::bad_input, name.text(), ": there is no such revision in ",
        cache.root(), "; `januspro list` shows what is there");
  if (here.size() == 1) {
    removal.remove_all();
  } else {
    removal.remove_revision(*commit);
  }
  return {{*commit}, removal.freed()};
}

}  // namespace janus
