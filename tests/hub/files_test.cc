// Names of models, and which files make a checkpoint. SPDX-License-Identifier: MIT
#include "hub/files.h"

#include <gtest/gtest.h>

#include "hub/listing.h"
#include "hub/name.h"
#include "hub/transfer.h"
#include "io/temp_dir.h"

namespace janus {
namespace {

using Names = std::vector<std::string>;

TEST(ModelName, IsTakenApart) {
  const ModelName plain = parse_model_name("deepseek-ai/Janus-Pro-1B");
  EXPECT_EQ(plain.repo, "deepseek-ai/Janus-Pro-1B");
  EXPECT_EQ(plain.revision, "");
  EXPECT_EQ(plain.revision_or_main(), "main");
  const ModelName revised = parse_model_name("a/b_c.d@refs/pr/1");
  EXPECT_EQ(revised.repo, "a/b_c.d");
  EXPECT_EQ(revised.revision, "refs/pr/1");
  EXPECT_EQ(revised.text(), "a/b_c.d@refs/pr/1");
}

TEST(ModelName, RefusesWhatWouldBecomeAnotherPath) {
  for (const char* text :
       {"",        "name",     "/name",   "org/",       "a/b/c",      "../b",
        "a/..",    "a/.b",     "a/b.",    "-a/b",       "a/b-",       "a--b/c",
        "a/b..c",  "a/b.git",  "a b/c",   "a/b@",       "a/b@../x",   "a/b@/x",
        "a/b@x y", "a/b@x\\y", "a/b@x\n", "\xc3\xa9/b", "models/a/b", "a/b@x//y"}) {
    EXPECT_FALSE(read_model_name(text).has_value()) << text;
    expect_has(error_of(Code::bad_input, [&] { parse_model_name(text); }), "org/name@revision");
  }
  EXPECT_FALSE(read_model_name("a/" + std::string(97, 'b')).has_value());
}

TEST(Listing, AddressesAreEncoded) {
  EXPECT_EQ(listing_url("https://h", {"a/b", "refs/pr/1"}),
            "https://h/api/models/a/b/revision/refs%2Fpr%2F1?blobs=true");
  EXPECT_EQ(listing_url("https://h", {"a/b", ""}),
            "https://h/api/models/a/b/revision/main?blobs=true");
  EXPECT_EQ(file_url("https://h", "a/b", "c", "d e/f?#%\xc3\xa9"),
            "https://h/a/b/resolve/c/d%20e/f%3F%23%25%C3%A9");
}

TEST(Origin, IsSchemeHostAndPort) {
  EXPECT_TRUE(same_origin("https://host/a", "https://HOST:443/b?c"));
  EXPECT_TRUE(same_origin("http://127.0.0.1:8000", "http://127.0.0.1:8000/x"));
  for (const char* other :
       {"http://host/", "https://host:444/", "https://host.evil/", "https://evil/host",
        "https://host@evil/", "https://sub.host/", "ftp://host/", "", "host"}) {
    EXPECT_FALSE(same_origin("https://host/a", other)) << other;
  }
}

TEST(Redirects, StayEncryptedAndOnTheWeb) {
  EXPECT_TRUE(may_follow("https://a/", "https://b/"));
  EXPECT_TRUE(may_follow("http://a/", "https://b/"));
  EXPECT_TRUE(may_follow("http://a/", "http://b/"));
  EXPECT_FALSE(may_follow("https://a/", "http://a/"));
  EXPECT_FALSE(may_follow("HTTPS://a/", "http://a/"));
  for (const char* to : {"file:///etc/passwd", "ftp://a/", "gopher://a/", "", "/relative"}) {
    EXPECT_FALSE(may_follow("http://a/", to)) << to;
  }
}

TEST(NeededFiles, SafetensorsBeforeTorchAndOneFileBeforeShards) {
  std::set<std::string> names = {"config.json",
                                 "tokenizer.json",
                                 "README.md",
                                 ".gitattributes",
                                 "pytorch_model.bin",
                                 "model.safetensors",
                                 "special_tokens_map.json",
                                 "vocab.txt",
                                 "onnx/model.safetensors",
                                 "model.safetensors.index.json",
                                 "model-00001-of-00001.safetensors",
                                 "model.fp16.safetensors"};
  EXPECT_EQ(needed_files(names, "a/b"), (Names{"config.json", "model.safetensors",
                                               "special_tokens_map.json", "tokenizer.json"}));
  names.erase("model.safetensors");
  EXPECT_EQ(needed_files(names, "a/b"),
            (Names{"config.json", "model-00001-of-00001.safetensors",
                   "model.safetensors.index.json", "special_tokens_map.json", "tokenizer.json"}));
  names.erase("model.safetensors.index.json");
  EXPECT_EQ(needed_files(names, "a/b"), (Names{"config.json", "pytorch_model.bin",
                                               "special_tokens_map.json", "tokenizer.json"}));
  names.erase("pytorch_model.bin");
  names.insert({"pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin",
                "pytorch_model-00002-of-00002.bin", "pytorch_model-x-of-2.bin",
                "pytorch_model-1-of-.bin"});
  EXPECT_EQ(
      needed_files(names, "a/b"),
      (Names{"config.json", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin",
             "pytorch_model.bin.index.json", "special_tokens_map.json", "tokenizer.json"}));
}

TEST(MissingFiles, AreThoseOfTheFormThatIsThere) {
  const TempDir dir;
  EXPECT_EQ(missing_files(dir / "none"),
            (Names{"config.json", "tokenizer.json", "weights (model.safetensors)"}));
  dir.write("config.json", "{}");
  dir.write("tokenizer.json", "{}");
  dir.write("pytorch_model.bin.index.json", R"({"weight_map": {"a": "x.bin", "b": "y.bin"}})");
  dir.write("x.bin", "x");
  EXPECT_EQ(missing_files(dir.path()), Names{"y.bin"});
  dir.write("model.safetensors.index.json", "{");
  EXPECT_EQ(missing_files(dir.path()), Names{"model.safetensors.index.json in a readable state"});
  std::filesystem::create_symlink(dir / "nowhere", dir / "model.safetensors");
  EXPECT_EQ(missing_files(dir.path()), Names{"model.safetensors"});
  dir.write("nowhere", "x");
  EXPECT_TRUE(missing_files(dir.path()).empty());
}

}  // namespace
}  // namespace janus
