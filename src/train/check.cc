// See check.h.
// SPDX-License-Identifier: MIT
#include "train/check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <system_error>
#include <variant>

#include "base/error.h"
#include "io/file.h"
#include "io/utf8.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;

// What became of a row.
struct Look {
  std::variant<BrokenRow, ShownRow> row;
  int64_t targets = 0;
};

// Values [pictures, 3, S, S] that were made as u8 * scale + shift for each channel.
std::vector<Image> pictures_of(const std::vector<float>& pixels, int side, double scale,
                               const std::array<float, 3>& mean,
                               const std::array<float, 3>& deviation) {
  std::vector<Image> pictures;
  const size_t area = static_cast<size_t>(side) * static_cast<size_t>(side);
  for (size_t begin = 0; begin + 3 * area <= pixels.size(); begin += 3 * area) {
    Image image{side, side, std::vector<uint8_t>(3 * area)};
    for (size_t i = 0; i < 3 * area; ++i) {
      const size_t channel = i % 3;
      const float value = pixels[begin + channel * area + i / 3];
      const double byte = (value * deviation[channel] + mean[channel]) / scale;
      image.rgb[i] = static_cast<uint8_t>(std::clamp(std::lround(byte), 0L, 255L));
    }
    pictures.push_back(std::move(image));
  }
  return pictures;
}

// Of an edit the picture before and the one after.
std::vector<Image> pictures_of(const Row& row, const Config& config) {
  if (const auto* drawn = std::get_if<DrawRow>(&row)) {
    std::vector<float> pixels = drawn->source;
    pixels.insert(pixels.end(), drawn->pixels.begin(), drawn->pixels.end());
    return pictures_of(pixels, config.image, 1 / 255.0, {.5f, .5f, .5f}, {.5f, .5f, .5f});
  }
  const Preprocessing& rule = config.preprocessing;
  return pictures_of(std::get<AskRow>(row).pixels, config.vision.image, rule.rescale, rule.mean,
                     rule.deviation);
}

std::string task_of(const Row& row) {
  if (const auto* drawn = std::get_if<DrawRow>(&row)) {
    return drawn->source.empty() ? "generate" : "edit";
  }
  return std::get<AskRow>(row).pixels.empty() ? "text" : "understand";
}

int64_t targets_of(const Row& row, const Config& config) {
  const auto* asked = std::get_if<AskRow>(&row);
  if (!asked) return config.image_tokens();
  return std::count(asked->dialogue.taught.begin(), asked->dialogue.taught.end(), true);
}

// Text of ids that lie side by side and are all taught or all not.
std::string text_of(std::span<const int32_t> ids, const PromptBuilder& prompts) {
  const auto word = [&](int32_t id) -> std::string {
    if (id == prompts.ids().image) return "picture";
    if (id == kSourceCode) return "code";
    return id == prompts.ids().pad ? "pad" : "";
  };
  std::string text;
  for (size_t i = 0; i < ids.size();) {
    const std::string folded = word(ids[i]);
    size_t end = i + 1;
    while (end < ids.size() && word(ids[end]) == folded) ++end;
    if (!folded.empty()) {
      text += "[" + std::to_string(end - i) + " x " + folded + "]";
    } else {
      text += prompts.tokenizer().decode(ids.subspan(i, end - i), true);
    }
    i = end;
  }
  return text;
}

std::string escaped(const std::string& text) {
  std::string whole, out;
  append_lossy(whole, text, true);
  for (const char c : whole) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:70em}"
    "section{display:flex;gap:1em;border-top:1px solid #ccc;padding:1em 0}"
    "img{width:12em;image-rendering:pixelated;display:block;margin-bottom:.5em}"
    "p{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}small{color:#666}"
    "mark{background:#b8f0c0}";

}  // namespace

std::vector<Piece> pieces_of(const Row& row, const PromptBuilder& prompts, const Config& config) {
  if (const auto* drawn = std::get_if<DrawRow>(&row)) {
    return {{text_of(drawn->prompt, prompts), false},
            {"[" + std::to_string(config.image_tokens()) + " x code]", true}};
  }
  const Dialogue& dialogue = std::get<AskRow>(row).dialogue;
  const std::span<const int32_t> ids = dialogue.ids;
  std::vector<Piece> pieces;
  for (size_t i = 0; i < ids.size();) {
    const bool taught = dialogue.taught[i];
    size_t end = i;
    while (end < ids.size() && dialogue.taught[end] == taught) ++end;
    pieces.push_back({text_of(ids.subspan(i, end - i), prompts), taught});
    i = end;
  }
  return pieces;
}

Checked check_source(const Recipe& recipe, size_t number, const PromptBuilder& prompts,
                     const CheckOptions& options, const std::function<void(int64_t)>& progress) {
  const Config& config = recipe.model.config;
  const Source& stated = recipe.data.at(number);
  const std::unique_ptr<RowSource> source = open_source(stated, prompts, config);
  Checked out;
  out.rows = source->count();
  out.allowed = broken_limit(stated, out.rows);
  const int64_t there = out.rows > 0 ? out.rows : options.rows > 0 ? options.rows : kWorldRows;
  const int64_t wanted = options.rows > 0 ? std::min(options.rows, there) : there;
  const int64_t apart = std::max<int64_t>(1, (wanted + options.shown - 1) / options.shown);
  Ahead<Look> looks(
      [&](int64_t k) -> Look {
        if (k >= wanted) return {};
        const auto at = static_cast<uint64_t>(k * there / wanted);
        try {
          const Row row = usable_row(recipe, *source, at);
          ShownRow shown{source->place(at), task_of(row), length_of(row, config), {}, {}};
          if (k % apart == 0) {
            shown.pieces = pieces_of(row, prompts, config);
            shown.pictures = pictures_of(row, config);
          }
          return {std::move(shown), targets_of(row, config)};
        } catch (const Error& error) {
          if (error.code() == Code::bug) throw;
          return {BrokenRow{number, static_cast<int64_t>(at), source->place(at), error.what()}, 0};
        }
      },
      0, options.workers);
  for (; out.looked_at < wanted; ++out.looked_at) {
    Look look = looks.next();
    if (progress) progress(out.looked_at);
    if (auto* broken = std::get_if<BrokenRow>(&look.row)) {
      out.broken.push_back(std::move(*broken));
      continue;
    }
    auto& row = std::get<ShownRow>(look.row);
    ++out.tasks[row.task];
    out.targets += look.targets;
    out.lengths.push_back(row.length);
    if (!row.pieces.empty()) out.shown.push_back(std::move(row));
  }
  std::sort(out.lengths.begin(), out.lengths.end());
  return out;
}

void write_sheet(const fs::path& dir, const std::string& title, const std::vector<ShownRow>& rows) {
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, Code::device_failure, dir.string(), ": ", error.message());
  std::ostringstream page;
  page << "<!doctype html><meta charset=\"utf-8\"><title>" << escaped(title) << "</title><style>"
       << kStyle << "</style><h1>" << escaped(title)
       << "</h1><p>Rows as the model gets them; <mark>what it learns to say</mark>.</p>\n";
  int64_t pictures = 0;
  for (const ShownRow& row : rows) {
    page << "<section>";
    if (!row.pictures.empty()) page << "<div>";
    for (const Image& picture : row.pictures) {
      std::ostringstream name;
      name << std::setw(4) << std::setfill('0') << ++pictures << ".png";
      write_atomically(dir / name.str(), encode_image(picture));
      page << "<img src=\"" << name.str() << "\" alt=\"\">";
    }
    if (!row.pictures.empty()) page << "</div>";
    page << "<div><p>";
    for (const Piece& piece : row.pieces) {
      page << (piece.taught ? "<mark>" : "") << escaped(piece.text)
           << (piece.taught ? "</mark>" : "");
    }
    page << "</p><small>" << escaped(row.place) << " · " << row.task << " · " << row.length
         << " positions</small></div></section>\n";
  }
  const std::string text = page.str();
  write_atomically(dir / "sheet.html", std::as_bytes(std::span(text)));
}

}  // namespace janus::train
