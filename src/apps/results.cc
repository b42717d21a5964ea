// See results.h. SPDX-License-Identifier: MIT
#include "apps/results.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace janus {

namespace {

// Where picture `number` of `count` goes.
std::filesystem::path output_path(const std::filesystem::path& output, size_t number,
                                  size_t count) {
  if (count == 1) return output;
  std::filesystem::path name = output.stem();
  name += "-" + std::to_string(number) + output.extension().string();
  return output.parent_path() / name;
}

}  // namespace

void ResultFlags::add_to(CLI::App& app) {
  app.add_option("-o,--output", output,
                 "File to write, .png, .jpg or .webp; -1, -2, … before the extension for several; "
                 "`-` is a PNG on stdout");
  app.add_option("--quality", quality,
                 "Of JPEG (default: 95), and of WebP, which without it loses nothing")
      ->check(CLI::Range(1, 100));
  app.add_flag("--json", json, "One JSON object a picture on stdout");
  app.add_flag("--quiet", quiet, "No progress, no notes on stderr");
}

void ResultFlags::check_use(const std::string& verb, const std::string& sheet) const {
  bool any_quality = false;
  for (const std::string& path : {output, sheet}) {
    try {
      any_quality = any_quality || picture_format(path) != PictureFormat::png;
    } catch (const Error& error) {
      throw UsageError(verb + ": " + error.what());
    }
  }
  if (quality > 0 && !any_quality) {
    throw UsageError(verb + ": --quality is for .jpg and .webp; PNG loses nothing");
  }
  if (output == "-" && json) {
    throw UsageError(verb + ": -o - and --json both want stdout; give -o a file");
  }
}

void ResultFlags::name_output(const std::string& verb, uint64_t seed, size_t count) {
  if (output == "-" && count > 1) {
    throw UsageError(verb + ": -o - writes one picture; give -o a file for several");
  }
  if (output.empty()) output = "januspro-" + std::to_string(seed) + ".png";
  if (output != "-") check_output(output);
}

PictureOptions ResultFlags::options_for(const std::string& path) const {
  const PictureFormat format = picture_format(path);
  return {format, format == PictureFormat::png ? 0 : quality};
}

void ResultFlags::keep(const Image& image, const Recipe& recipe, size_t number, size_t count,
                       double seconds) const {
  const std::vector<std::byte> bytes = encode_picture(image, recipe.as_text(), options_for(output));
  if (output == "-") {
    print({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return;
  }
  const std::filesystem::path path = output_path(output, number, count);
  save_result(path, bytes);
  if (!json) return print(path.string() + "\n");
  nlohmann::ordered_json line{{"path", path.string()}};
  line.update(recipe.to_json());
  line["seconds"] = seconds;
  print(json_line(line));
}

}  // namespace janus
