// Checkpoint: the one door to what a model is made of, whatever it is kept in. Nothing is cached:
// small files are read when they are asked for, and weight files are mapped, never copied.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "io/processor_config.h"
#include "io/stored.h"
#include "model/config.h"
#include "model/parts.h"
#include "model/tensor_source.h"

namespace janus {

class Checkpoint {
 public:
  // `path`: a directory of either published layout, a .gguf made by `januspro convert`, or the
  // language file of llama.cpp's pair; `mmproj` is its vision file, by default the mmproj*.gguf
  // beside it. Throws Code::not_supported for another model, by its name; Code::bad_input for a
  // path that leads to nothing of these; what GgufFile throws.
  explicit Checkpoint(const std::filesystem::path& path, const std::filesystem::path& mmproj = {});

  const std::filesystem::path& path() const { return path_; }
  std::string name() const;   // for messages: the path, or both
  std::string title() const;  // what the model is called: by the file, or as its directory
  Parts parts() const;        // what is there
  // Throws Code::not_supported naming the half that is not.
  void require(const Parts& parts) const;

  // What the parts say; each throws as its reader does.
  Config config() const;
  std::string tokenizer_json() const;
  std::string tokenizer_name() const;  // where that text is from, for messages
  ProcessorConfig processor() const;
  // As the files have them; of a .gguf that is packed() see source() for what they mean.
  StoredTensors tensors() const;
  // Whether its matrices lie as a backend packs them (packed_source.h).
  bool packed() const;
  std::unique_ptr<const TensorSource> source() const;
  // The map of generate/preview as its numbers, where the file holds one.
  std::optional<std::vector<float>> preview() const;
  // What `januspro bench --work quality --json` told of it, where that is kept with it.
  std::optional<std::string> quality() const;

 private:
  void open_gguf(const std::filesystem::path& mmproj);

  std::filesystem::path path_;
  std::optional<GgufFile> file_;    // none: a directory
  std::optional<GgufFile> vision_;  // of llama.cpp's pair
};

// The name of the preview's tensor in a .gguf.
inline constexpr const char* kPreviewTensor = "preview.weight";
// Where what quality() tells is kept: a file of a directory, a text in a .gguf.
inline constexpr const char* kQualityFile = "quality.jsonl";
inline constexpr const char* kQualityKey = "janus.quality";

}  // namespace janus
