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
#include "train/html.h"

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

// Of an edit the picture before and the one after; of a preference the worse one last.
std::vector<Image> pictures_of(const Row& row, const Config& config) {
  if (const auto* drawn = std::get_if<DrawRow>(&row)) {
    std::vector<float> pixels = drawn->source;
    pixels.insert(pixels.end(), drawn->pixels.begin(), drawn->pixels.end());
    pixels.insert(pixels.end(), drawn->rejected.begin(), drawn->rejected.end());
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

// What a run of ids that are no text is told as; "" for others.
std::string word_for(int32_t id, const SpecialIds& ids) {
  if (id == ids.image) return "picture";
  if (id == kSourceCode) return "code";
  return id == ids.pad ? "pad" : "";
}

std::string run_of(int64_t count, const std::string& word) {
  return "[" + std::to_string(count) + " × " + word + "]";
}

// `taught`: of each id.
std::vector<Piece> pieces_of(std::span<const int32_t> ids, const std::vector<bool>& taught,
                             const PromptBuilder& prompts) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < ids.size();) {
    const std::string word = word_for(ids[i], prompts.ids());
    const auto special = [&](size_t k) {
      return !word_for(ids[k], prompts.ids()).empty() || prompts.tokenizer().is_special(ids[k]);
    };
    const bool first = special(i);
    size_t end = i + 1;
    while (end < ids.size() && taught[end] == taught[i] && special(end) == first &&
           word_for(ids[end], prompts.ids()) == word) {
      ++end;
    }
    std::string text = word.empty() ? prompts.tokenizer().decode(ids.subspan(i, end - i), true)
                                    : run_of(static_cast<int64_t>(end - i), word);
    if (!pieces.empty() && pieces.back().taught == taught[i] && pieces.back().special == first) {
      pieces.back().text += text;
    } else {
      pieces.push_back({std::move(text), taught[i], first});
    }
    i = end;
  }
  return pieces;
}

constexpr std::string_view kRejected = "rather than ";
constexpr size_t kNamed = 100;  // broken rows on the sheet

constexpr const char* kStyle =
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;padding:0 1em;max-width:70em}"
    "section{display:grid;grid-template-columns:19em 1fr;gap:.5em 1.5em;padding:1em 0;"
    "border-top:1px solid #8886}"
    "section>div:first-child{display:flex;flex-wrap:wrap;gap:.5em;align-content:start}"
    "img{width:9em;image-rendering:pixelated}img:only-child{width:12em}"
    "p{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}small,i{color:#888}"
    "i{font-style:normal;font-size:.9em}mark{background:#4c65;color:inherit}"
    "@media(max-width:45em){section{grid-template-columns:1fr}}";

void write_broken(std::ostream& page, const Checked& found) {
  if (found.broken.empty()) return;
  page << "<details><summary>" << found.broken.size() << " broken, " << found.allowed
       << " allowed</summary><ul>\n";
  for (size_t i = 0; i < std::min(found.broken.size(), kNamed); ++i) {
    page << "<li>" << escaped(found.broken[i].place) << ": " << escaped(found.broken[i].reason)
         << "</li>\n";
  }
  if (found.broken.size() > kNamed) page << "<li>… (--json names all)</li>\n";
  page << "</ul></details>\n";
}

}  // namespace

std::vector<Piece> pieces_of(const Row& row, const PromptBuilder& prompts, const Config& config) {
  if (const auto* asked = std::get_if<AskRow>(&row)) {
    const auto& [ids, taught] = asked->dialogue;
    std::vector<Piece> pieces = pieces_of(ids, taught, prompts);
    if (!asked->rejected) return pieces;
    // What both have in common is shown once.
    const std::vector<int32_t>& worse = asked->rejected->ids;
    const auto from = std::mismatch(worse.begin(), worse.end(), ids.begin(), ids.end()).first;
    pieces.push_back({"\n" + std::string(kRejected), false, true});
    const std::span<const int32_t> rest(from, worse.end());
    std::ranges::move(pieces_of(rest, std::vector<bool>(rest.size()), prompts),
                      std::back_inserter(pieces));
    return pieces;
  }
  const auto& drawn = std::get<DrawRow>(row);
  std::vector<Piece> pieces =
      pieces_of(drawn.prompt, std::vector<bool>(drawn.prompt.size()), prompts);
  const std::string codes = run_of(config.image_tokens(), "code");
  pieces.push_back({codes, true, true});
  if (has_rejected(row)) pieces.push_back({"\n" + std::string(kRejected) + codes, false, true});
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

void write_sheet(const fs::path& dir, const std::string& title, const Checked& found) {
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, Code::device_failure, dir.string(), ": ", error.message());
  std::ostringstream page;
  page << "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width\"><title>"
       << escaped(title) << "</title><style>" << kStyle << "</style><h1>" << escaped(title)
       << "</h1><p>Rows as the model gets them; <mark>what it learns to say</mark>.</p>\n";
  write_broken(page, found);
  int64_t pictures = 0;
  for (const ShownRow& row : found.shown) {
    page << "<section><div>";
    for (const Image& picture : row.pictures) {
      std::ostringstream name;
      name << std::setw(4) << std::setfill('0') << ++pictures << ".png";
      write_atomically(dir / name.str(), encode_image(picture));
      page << "<img src=\"" << name.str() << "\" alt=\"\">";
    }
    page << "</div><div><p>";
    for (const Piece& piece : row.pieces) {
      page << (piece.taught ? "<mark>" : "") << (piece.special ? "<i>" : "") << escaped(piece.text)
           << (piece.special ? "</i>" : "") << (piece.taught ? "</mark>" : "");
    }
    page << "</p><small>" << escaped(row.place) << " · " << row.task << " · " << row.length
         << " positions</small></div></section>\n";
  }
  const std::string text = page.str();
  write_atomically(dir / "sheet.html", std::as_bytes(std::span(text)));
}

}  // namespace janus::train
