// See progress.h. Control sequences: ECMA-48 (cursor up, erase) and the 24-bit colours of ITU-T
// T.416 as terminals have them. SPDX-License-Identifier: MIT
#include "apps/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace janus {

namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string colour(int layer, const uint8_t* rgb) {
  return "\033[" + std::to_string(layer) + ";2;" + std::to_string(rgb[0]) + ";" +
         std::to_string(rgb[1]) + ";" + std::to_string(rgb[2]) + "m";
}

std::string duration(double seconds) {
  const auto all = static_cast<int64_t>(std::clamp(seconds, 0.0, 359999.0));
  char text[32];
  if (all >= 3600) {
    std::snprintf(text, sizeof text, "%d:%02d:%02d", static_cast<int>(all / 3600),
                  static_cast<int>(all / 60 % 60), static_cast<int>(all % 60));
  } else {
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(all / 60),
                  static_cast<int>(all % 60));
  }
  return text;
}

}  // namespace

std::vector<std::string> half_blocks(std::span<const Image> pictures) {
  int height = 0;
  for (const Image& picture : pictures) height = std::max(height, picture.height);
  std::vector<std::string> lines(static_cast<size_t>((height + 1) / 2));
  for (size_t line = 0; line < lines.size(); ++line) {
    const int top = static_cast<int>(2 * line);
    for (const Image& picture : pictures) {
      for (int x = 0; x < picture.width && top < picture.height; ++x) {
        const auto at = [&](int y) {
          return &picture.rgb[static_cast<size_t>((y * picture.width + x) * 3)];
        };
        const int bottom = std::min(top + 1, picture.height - 1);
        lines[line] += colour(38, at(top)) + colour(48, at(bottom)) + "\u2580";
      }
      lines[line] += "\033[0m ";
    }
  }
  return lines;
}

std::string bar_text(const std::string& label, int64_t done, int64_t total, const std::string& unit,
                     double per_second) {
  constexpr int kWidth = 20;
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  const int filled = std::clamp(static_cast<int>(share * kWidth), 0, kWidth);
  std::string text = label + " [" + std::string(static_cast<size_t>(filled), '=') +
                     std::string(static_cast<size_t>(kWidth - filled), ' ') + "] " +
                     std::to_string(done) + "/" + std::to_string(total) + " " + unit;
  if (per_second > 0 && done < total) {
    char speed[32];
    std::snprintf(speed, sizeof speed, per_second < 10 ? ", %.2f/s" : ", %.0f/s", per_second);
    text += speed;
    text += ", " + duration(static_cast<double>(total - done) / per_second) + " left";
  }
  return text;
}

ProgressBar::ProgressBar(bool quiet) : started_(Clock::now()) {
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal && std::string_view(terminal) == "dumb";
  visible_ = !quiet && !dumb && isatty(STDERR_FILENO) == 1;
}

ProgressBar::~ProgressBar() { clear(); }

bool ProgressBar::due() const { return visible_ && Clock::now() - shown_ >= kInterval; }

void ProgressBar::clear() {
  if (lines_ == 0) return;
  std::string text = "\r";
  if (lines_ > 1) text += "\033[" + std::to_string(lines_ - 1) + "A";
  text += "\033[J";
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  lines_ = 0;
}

void ProgressBar::show(const std::string& label, int64_t done, int64_t total,
                       const std::string& unit, std::span<const Image> pictures) {
  if (!visible_) return;
  const Clock::time_point now = Clock::now();
  if (label != label_) {
    label_ = label;
    started_ = now;
    first_ = done;
  }
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double speed = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
  const int columns = terminal_width();
  size_t fitting = 0;
  for (int used = 0; fitting < pictures.size(); ++fitting) {
    used += pictures[fitting].width + 1;
    if (used > columns) break;
  }
  std::string text = "\r";
  if (lines_ > 1) text += "\033[" + std::to_string(lines_ - 1) + "A";
  text += "\033[J";
  const std::vector<std::string> above = half_blocks(pictures.first(fitting));
  for (const std::string& line : above) text += line + "\n";
  text += bar_text(label, done, total, unit, speed).substr(0, static_cast<size_t>(columns - 1));
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  lines_ = static_cast<int>(above.size()) + 1;
  shown_ = now;
}

}  // namespace janus
