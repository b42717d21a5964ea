// The answer of the Hub's `model_info` (huggingface_hub, hf_api.py), read with suspicion: its names
// and sums become paths. SPDX-License-Identifier: MIT
#include "hub/listing.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace janus {
namespace {

using Json = nlohmann::json;

// RFC 3986, section 2: everything but the unreserved characters, and those of `also`, is encoded.
std::string percent_encoded(std::string_view text, std::string_view also) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos || also.find(c) != std::string_view::npos) {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return encoded;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

int64_t size_of(const Json& object) {
  const auto found = object.find("size");
  if (found == object.end() || !found->is_number_unsigned()) return -1;  // or negative
  const auto size = found->get<uint64_t>();
  return size <= kLargestFile ? static_cast<int64_t>(size) : -1;
}

RemoteFile parse_file(const Json& entry, const std::string& url) {
  check(entry.is_object(), Code::bad_checkpoint, url, ": an entry of `siblings` is no object");
  RemoteFile file;
  file.name = text_of(entry, "rfilename");
  check(is_plain_path(file.name), Code::bad_checkpoint, url, ": names the file '",
        printable(file.name),
        "', which would lie outside the model's folder; nothing is fetched from such a server");
  const auto lfs = entry.find("lfs");
  const bool large = lfs != entry.end() && lfs->is_object();
  file.size = size_of(large ? *lfs : entry);
  file.sum = large ? text_of(*lfs, "sha256") : text_of(entry, "blobId");
  return file;
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr size_t kEnough = 200;
  std::string shown;
  for (const char c : text.substr(0, kEnough)) shown.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  return text.size() > kEnough ? shown + "..." : shown;
}

std::string listing_url(const std::string& endpoint, const ModelName& name) {
  return endpoint + "/api/models/" + name.repo + "/revision/" +
         percent_encoded(name.revision_or_main(), "") + "?blobs=true";
}

std::string file_url(const std::string& endpoint, const std::string& repo,
                     const std::string& commit, const std::string& file) {
  return endpoint + "/" + repo + "/resolve/" + commit + "/" + percent_encoded(file, "/");
}

void check_promise(const RemoteFile& file, const std::string& url) {
  check(file.size >= 0 && (is_commit(file.sum) || is_sha256(file.sum)), Code::bad_checkpoint, url,
        ": gives no usable size and sum for ", file.name,
        ", so that what comes could not be checked; is HF_ENDPOINT a whole mirror of the Hub?");
}

Listing parse_listing(const std::string& answer, const std::string& url) {
  const size_t first = answer.find_first_not_of(" \t\r\n");
  check(first != std::string::npos && answer[first] == '{', Code::bad_checkpoint, url,
        ": answers with something else than the Hub does; is HF_ENDPOINT right, is a login page in "
        "between?");
  const Json json = parse_json(answer, url);
  Listing listing;
  listing.commit = text_of(json, "sha");
  check(is_commit(listing.commit), Code::bad_checkpoint, url, ": gives '",
        printable(listing.commit), "' as the commit, which is none; is HF_ENDPOINT right?");
  const auto siblings = json.find("siblings");
  check(siblings != json.end() && siblings->is_array(), Code::bad_checkpoint, url,
        ": lists no files; is HF_ENDPOINT right?");
  for (const Json& entry : *siblings) listing.files.push_back(parse_file(entry, url));
  return listing;
}

}  // namespace janus
