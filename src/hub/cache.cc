// See cache.h. Names of folders and the order of writing follow huggingface_hub's file_download.py,
// but for one thing: a ref is written last, so that a name means the old revision until the new one
// is whole. SPDX-License-Identifier: MIT
#include "hub/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "hub/files.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "models--";
constexpr size_t kShortestCommit = 7;

std::string folder_of(const std::string& repo) {
  const size_t slash = repo.find('/');
  return std::string(kPrefix) + repo.substr(0, slash) + "--" + repo.substr(slash + 1);
}

// Nothing for folders of other kinds: data sets, models without an organisation.
std::optional<std::string> repo_of(std::string_view folder) {
  if (!folder.starts_with(kPrefix)) return std::nullopt;
  folder.remove_prefix(kPrefix.size());
  const size_t dashes = folder.find("--");
  if (dashes == std::string_view::npos) return std::nullopt;
  const auto name = read_model_name(std::string(folder.substr(0, dashes)) + "/" +
                                    std::string(folder.substr(dashes + 2)));
  return name && name->revision.empty() ? std::optional(name->repo) : std::nullopt;
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  check(!error, Code::device_failure, "cannot make the folder ", path, ": ", error.message(),
        "; HF_HUB_CACHE can name another place for models");
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Tells backup programs to pass by (bford.info/cachedir). Its absence harms nothing.
void tag(const fs::path& root) {
  std::error_code error;
  if (fs::exists(root / "CACHEDIR.TAG", error)) return;
  try {
    AtomicFile file(root / "CACHEDIR.TAG");
    file.write(
        "Signature: 8a477f597d28d172789f06886806bc55\n"
        "# What lies here can be fetched again; see https://bford.info/cachedir/\n");
    file.commit();
  } catch (const Error&) {
  }
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string comma_list(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace

Cache::Cache(const fs::path& root) : root_(fs::absolute(root).lexically_normal()) {
  if (!root_.has_filename()) root_ = root_.parent_path();  // a slash at its end
}

fs::path Cache::repo(const std::string& repo) const { return root_ / folder_of(repo); }
fs::path Cache::locks(const std::string& repo) const { return root_ / ".locks" / folder_of(repo); }

fs::path Cache::blob(const std::string& repo, const std::string& sum) const {
  return this->repo(repo) / "blobs" / sum;
}

fs::path Cache::snapshot(const std::string& repo, const std::string& commit) const {
  return this->repo(repo) / "snapshots" / commit;
}

std::map<std::string, std::string> Cache::refs(const std::string& repo) const {
  std::map<std::string, std::string> found;
  const fs::path folder = this->repo(repo) / "refs";
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_regular_file(ignored)) continue;
    try {
      const std::string commit = trimmed(read_text(entry->path(), 1000));
      if (is_commit(commit)) found[entry->path().lexically_relative(folder).string()] = commit;
    } catch (const Error&) {
      // Not a ref.
    }
  }
  return found;
}

std::vector<std::string> Cache::commits(const std::string& repo) const {
  std::vector<std::string> found = names_in(this->repo(repo) / "snapshots");
  std::erase_if(found, [](const std::string& name) { return !is_commit(name); });
  return found;
}

std::optional<std::string> Cache::commit_of(const ModelName& name) const {
  const std::string revision = name.revision_or_main();
  const auto known = refs(name.repo);
  const auto ref = known.find(revision);
  const std::vector<std::string> here = commits(name.repo);
  const auto is_here = [&](const std::string& commit) {
    return std::binary_search(here.begin(), here.end(), commit);
  };
  if (ref != known.end() && is_here(ref->second)) return ref->second;
  if (revision.size() < kShortestCommit) return std::nullopt;
  const auto begins = [&](const std::string& commit) { return commit.starts_with(revision); };
  if (std::count_if(here.begin(), here.end(), begins) != 1) return std::nullopt;
  return *std::find_if(here.begin(), here.end(), begins);
}

std::vector<std::string> Cache::repos() const {
  std::vector<std::string> found;
  for (const std::string& folder : names_in(root_)) {
    if (const auto repo = repo_of(folder)) found.push_back(*repo);
  }
  return found;
}

void Cache::prepare(const std::string& repo, const std::string& commit) const {
  make_folder(this->repo(repo) / "blobs");
  make_folder(snapshot(repo, commit));
  make_folder(locks(repo));
  tag(root_);
}

void Cache::link(const std::string& repo, const std::string& commit, const std::string& file,
                 const std::string& sum) const {
  const fs::path place = snapshot(repo, commit) / file;
  make_folder(place.parent_path());
  const fs::path target = blob(repo, sum).lexically_relative(place.parent_path());
  std::error_code error;
  if (fs::read_symlink(place, error) == target) return;
  const fs::path fresh = place.parent_path() / ("." + sum + ".link");
  fs::remove(fresh, error);
  fs::create_symlink(target, fresh, error);
  if (!error) fs::rename(fresh, place, error);
  check(!error, Code::device_failure, "cannot make the link ", place, ": ", error.message(),
        "; the cache needs a file system with symbolic links, HF_HUB_CACHE can name another place");
}

void Cache::set_ref(const std::string& repo, const std::string& revision,
                    const std::string& commit) const {
  if (revision == commit) return;
  const auto known = refs(repo);
  const auto ref = known.find(revision);
  if (ref != known.end() && ref->second == commit) return;
  const fs::path place = this->repo(repo) / "refs" / revision;
  make_folder(place.parent_path());
  write_atomically(place, std::as_bytes(std::span(commit)));
}

std::optional<Descriptor> Cache::lock(const std::string& repo, const std::string& sum) const {
  const fs::path path = locks(repo) / (sum + ".lock");
  while (true) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0664));
    check(file.get() >= 0, Code::device_failure, "cannot write ", path, ": ", system_reason());
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      if (errno == EINTR) continue;
      return file;  // a file system without locks: as good as it gets
    }
    // Whoever held it before may have removed the file that we waited for.
    struct stat held {
    }, named{};
    if (::fstat(file.get(), &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
        held.st_ino == named.st_ino) {
      return file;
    }
  }
}

fs::path find_pulled(const Cache& cache, const ModelName& name) {
  const std::string command = "januspro pull " + name.text();
  const std::optional<std::string> commit = cache.commit_of(name);
  if (!commit) {
    const std::vector<std::string> here = cache.commits(name.repo);
    check(here.empty(), Code::bad_input, name.repo, ": revision '", name.revision_or_main(),
          "' has not been pulled; here are ", comma_list(here), ". `", command, "` fetches it");
    fail(Code::bad_input, name.text(), ": no such directory, and no model of this name in ",
         cache.root(), "; `", command, "` fetches it from the Hub");
  }
  const fs::path folder = cache.snapshot(name.repo, *commit);
  const std::vector<std::string> missing = missing_files(folder);
  check(missing.empty(), Code::bad_input, name.text(), " is here in part only, without ",
        comma_list(missing), "; `", command, "` fetches the rest");
  return folder;
}

std::optional<std::string> name_of_snapshot(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(path, error);
  const fs::path snapshots = whole.parent_path();
  const auto repo = repo_of(snapshots.parent_path().filename().string());
  if (error || !repo || snapshots.filename() != "snapshots" ||
      !is_commit(whole.filename().string())) {
    return std::nullopt;
  }
  return *repo + "@" + whole.filename().string();
}

}  // namespace janus
