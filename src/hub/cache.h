// The cache of models on disk, laid out as Python's huggingface_hub does it, so that each finds
// what the other has fetched:
//
//   models--org--name/blobs/SUM                    the files, named by listing.h's sum
//   models--org--name/snapshots/COMMIT/FILE        relative links to them
//   models--org--name/refs/REVISION                the commit that a branch or tag stood for
//   .locks/models--org--name/SUM.lock              held (flock) while a blob is written
//
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hub/name.h"
#include "io/file.h"

namespace janus {

class Cache {
 public:
  explicit Cache(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path repo(const std::string& repo) const;
  std::filesystem::path locks(const std::string& repo) const;
  std::filesystem::path blob(const std::string& repo, const std::string& sum) const;
  std::filesystem::path snapshot(const std::string& repo, const std::string& commit) const;

  // Revision -> commit, of the files in refs/ that hold one.
  std::map<std::string, std::string> refs(const std::string& repo) const;
  // Commits with a snapshot, sorted.
  std::vector<std::string> commits(const std::string& repo) const;
  // What a name means here: a ref, a commit, or the first seven and more digits of one.
  std::optional<std::string> commit_of(const ModelName& name) const;
  // Names of the models that have a folder, sorted.
  std::vector<std::string> repos() const;

  // Makes the folders of one revision. This and the next two throw Code::device_failure naming the
  // path.
  void prepare(const std::string& repo, const std::string& commit) const;
  // The snapshot's `file` becomes a link to the blob.
  void link(const std::string& repo, const std::string& commit, const std::string& file,
            const std::string& sum) const;
  void set_ref(const std::string& repo, const std::string& revision,
               const std::string& commit) const;
  // The lock of a blob; nothing when another program has it.
  std::optional<Descriptor> lock(const std::string& repo, const std::string& sum) const;

 private:
  std::filesystem::path root_;
};

// The folder of a model that has been pulled, whole. Throws Code::bad_input with the command that
// fetches what is not there.
std::filesystem::path find_pulled(const Cache& cache, const ModelName& name);

// `org/name@commit` where the path is that of a snapshot.
std::optional<std::string> name_of_snapshot(const std::filesystem::path& path);

}  // namespace janus
