// A conversation while it grows, and as a JSON file: who said what, and where the pictures lie.
// docs/formats.md, "Conversations", describes the file. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "januspro/januspro.hpp"

namespace janus {

class Transcript {
 public:
  // Settings of every question; the turns so far are its messages.
  AskRequest request;

  // A picture of the next question; pictures are numbered from 1 through the conversation.
  void add_picture(const std::filesystem::path& path, Image image);
  size_t waiting() const { return images_.size(); }
  size_t pictures() const;  // those waiting included
  size_t turns() const { return request.messages.size() / 2; }

  // The question and the pictures that wait become the last message …
  void question(const std::string& text);
  // … and then either the answer follows it, or it is taken back and its pictures wait again.
  void answer(const std::string& text);
  void take_back();

  void clear();  // all but the settings

  // `name`: what the model is called. Paths of pictures in the folder of `path` or below are
  // written as they look from there, others in full. Throws Code::bad_input for a text or path that
  // is not UTF-8.
  void save(const std::filesystem::path& path, const std::string& name,
            const ModelInfo& model) const;
  // Replaces the turns, and the system prompt if the file has one; returns the hash of the model it
  // was held with. Throws as parse_conversation() and load_picture() do, and Code::bad_input where
  // the pixels of all its pictures are more than `most_pixels`; nothing is changed then.
  std::string load(const std::filesystem::path& path, int64_t most_pixels = 1'000'000'000);

 private:
  using Paths = std::vector<std::filesystem::path>;

  std::vector<Paths> paths_;   // of each message's pictures
  std::vector<Image> images_;  // that wait for the next question
  Paths image_paths_;
};

// What such a file says.
struct Conversation {
  struct Message {
    std::string text;
    std::vector<std::string> images;  // paths as they are written
  };
  std::string model_hash;
  std::optional<std::string> system;
  std::vector<Message> messages;     // user and assistant in turn, an even number
  std::vector<std::string> waiting;  // pictures of the next question
};

// Throws Code::bad_checkpoint for what is no JSON, Code::bad_input for what is no conversation,
// naming `where` and the place.
Conversation parse_conversation(const std::string& text, const std::string& where);

}  // namespace janus
