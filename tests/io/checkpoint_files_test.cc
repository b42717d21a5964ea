// Checkpoint directories: files are found and told apart by content; incomplete, contradictory and
// hostile sets of shards are refused with the files named.
// SPDX-License-Identifier: MIT
#include "io/checkpoint_files.h"

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "io/temp_dir.h"
#include "io/torch_file.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

void write_tensors(const fs::path& path, const std::vector<std::string>& names) {
  std::vector<TensorEntry> entries;
  for (const std::string& name : names) {
    entries.push_back({name, Dtype::f32, {1}, [](const auto& sink) {
                         const float value = 1;
                         sink(std::as_bytes(std::span(&value, 1)));
                       }});
  }
  write_safetensors(path, entries);
}

std::string index_of(const std::vector<std::pair<std::string, std::string>>& shards) {
  std::string text = "{\"metadata\":{\"total_size\":8},\"weight_map\":{";
  for (size_t i = 0; i < shards.size(); ++i) {
    text += (i ? ",\"" : "\"") + shards[i].first + "\":\"" + shards[i].second + "\"";
  }
  return text + "}}";
}

std::string refusal(const TempDir& dir, Code code = Code::bad_checkpoint) {
  return error_of(code, [&] { open_checkpoint_dir(dir.path()); });
}

TEST(CheckpointFiles, ReadsEveryPackaging) {
  {
    const TempDir dir;
    write_tensors(dir / "model.safetensors", {"a", "b"});
    EXPECT_EQ(open_checkpoint_dir(dir.path()).size(), 2u);
  }
  {
    const TempDir dir;
    write_tensors(dir / "x-1.safetensors", {"a"});
    write_tensors(dir / "x-2.safetensors", {"b"});
    dir.write("model.safetensors.index.json",
              index_of({{"a", "x-1.safetensors"}, {"b", "x-2.safetensors"}}));
    EXPECT_EQ(open_checkpoint_dir(dir.path()).size(), 2u);
  }
  {
    const TempDir dir;
    dir.write("pytorch_model.bin", torch_file(pickle_state({{}})));
    EXPECT_EQ(open_checkpoint_dir(dir.path()).size(), 1u);
  }
  {
    const TempDir dir;
    dir.write("p-1.bin", torch_file(pickle_state({{.name = "a"}})));
    dir.write("p-2.bin", torch_file(pickle_state({{.name = "b"}})));
    dir.write("pytorch_model.bin.index.json", index_of({{"a", "p-1.bin"}, {"b", "p-2.bin"}}));
    EXPECT_EQ(open_checkpoint_dir(dir.path()).size(), 2u);
  }
}

TEST(CheckpointFiles, ContentDecidesNotTheName) {
  const TempDir dir;
  write_tensors(dir / "pytorch_model.bin", {"a"});
  EXPECT_TRUE(open_checkpoint_dir(dir.path()).contains("a"));
  dir.write("model.safetensors", torch_file(pickle_state({{.name = "t"}})));
  EXPECT_TRUE(open_checkpoint_dir(dir.path()).contains("t"));
}

TEST(CheckpointFiles, LinksIntoACacheAreFollowed) {
  const TempDir dir;
  write_tensors(dir / "blob", {"a"});
  fs::create_symlink("blob", dir / "model.safetensors");
  EXPECT_TRUE(open_checkpoint_dir(dir.path()).contains("a"));
}

TEST(CheckpointFiles, NamesWhatIsNotThere) {
  const TempDir dir;
  expect_has(refusal(dir), "looked for model.safetensors");
  error_of(Code::bad_input, [&] { open_checkpoint_dir(dir / "absent"); });
  dir.write("file", "x");
  expect_has(error_of(Code::bad_input, [&] { open_checkpoint_dir(dir / "file"); }), "folder");
  write_tensors(dir / "one.safetensors", {"a"});
  dir.write(
      "model.safetensors.index.json",
      index_of({{"a", "one.safetensors"}, {"b", "two.safetensors"}, {"c", "three.safetensors"}}));
  const auto text = refusal(dir);
  expect_has(text, "two.safetensors");
  expect_has(text, "three.safetensors");
  EXPECT_EQ(text.find("one.safetensors"), std::string::npos);
}

TEST(CheckpointFiles, ShardsMustBePlainNamesInTheFolder) {
  for (const char* name : {"../model.safetensors", "/etc/passwd", "sub/x.safetensors", "..", "",
                           "a\\\\b", "model.safetensors.index.json"}) {
    SCOPED_TRACE(name);
    const TempDir dir;
    dir.write("model.safetensors.index.json", index_of({{"a", name}}));
    expect_has(refusal(dir), "not a usable index");
  }
}

TEST(CheckpointFiles, DamagedIndexesAreRefused) {
  for (const char* text : {"", "[]", "{}", "{\"weight_map\":{}}", "{\"weight_map\":{\"a\":3}}",
                           "{\"weight_map\":[1]}", "{\"weight_map\":{\"a\":\"b\"}"}) {
    SCOPED_TRACE(text);
    const TempDir dir;
    dir.write("model.safetensors.index.json", text);
    expect_has(refusal(dir), "model.safetensors.index.json");
  }
}

TEST(CheckpointFiles, ShardsMustAgreeWithTheIndex) {
  const TempDir dir;
  write_tensors(dir / "1", {"a"});
  write_tensors(dir / "2", {"b"});
  dir.write("model.safetensors.index.json", index_of({{"a", "2"}, {"b", "2"}, {"c", "1"}}));
  expect_has(refusal(dir), "lacks tensor 'a'");
  write_tensors(dir / "2", {"a", "b"});
  expect_has(refusal(dir), "tensor 'a' is in 1 and again in 2");
}

TEST(CheckpointFiles, CyclicLinksAreNamed) {
  const TempDir dir;
  fs::create_symlink("two", dir / "one");
  fs::create_symlink("one", dir / "two");
  dir.write("model.safetensors.index.json", index_of({{"a", "one"}}));
  expect_has(refusal(dir, Code::bad_input), "points back at itself");
  // A shard that is the index under another name holds no tensors.
  fs::remove(dir / "one");
  fs::create_symlink("model.safetensors.index.json", dir / "one");
  expect_has(refusal(dir), "is a text, not weights");
}

TEST(CheckpointFiles, KnownStrangersGetTheirCure) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "git lfs pull"},
      {"<!DOCTYPE html><html>", "web page"},
      {"", "empty"},
  };
  for (const auto& [bytes, cure] : cases) {
    const TempDir dir;
    dir.write("model.safetensors", bytes);
    expect_has(refusal(dir), cure);
  }
  const TempDir dir;
  dir.write("pytorch_model.bin", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  expect_has(refusal(dir, Code::not_supported), "before version 1.6");
  const TempDir pointer;
  pointer.write("model.safetensors.index.json", "version https://git-lfs.github.com/spec/v1\n");
  expect_has(refusal(pointer), "git lfs pull");
}

}  // namespace
}  // namespace janus
