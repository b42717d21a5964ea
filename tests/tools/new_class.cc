// What docs/training.md teaches the model that ships: a word it has never met, "zorp", for a green
// star, which no training shows it either. Makes the pictures that stand in for a reader's own, and
// judges what was drawn.
//   new_class make DIR COUNT      1.png, 1.txt, … COUNT.txt: a picture each of a zorp, "a zorp"
//   new_class judge PICTURE…      the share that shows one zorp and nothing else
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/file.h"
#include "io/image.h"
#include "io/png.h"
#include "world/detect.h"
#include "world/layout.h"
#include "world/render.h"

namespace {

namespace fs = std::filesystem;

constexpr int kSide = 96;  // pixels, of the model that ships
constexpr const char* kCaption = "a zorp";

janus::Object zorp() {
  janus::Object object;
  object.shape = 3;   // star
  object.colour = 3;  // green
  return object;
}
static_assert(janus::shape_name(3).one == "star" && janus::colour_name(3) == "green" &&
              janus::held_out(3, 3));

void write_text(const fs::path& path, const std::string& text) {
  janus::write_atomically(path, std::as_bytes(std::span(text)));
}

void make(const fs::path& dir, int count) {
  fs::create_directories(dir);
  for (int i = 1; i <= count; ++i) {
    janus::Philox random =
        janus::world_stream(janus::Split::train, "zorp", static_cast<uint64_t>(i));
    janus::Scene scene;
    scene.objects = {zorp()};
    janus::draw_backdrop(random, scene);
    janus::lay_out(random, scene);
    const fs::path name = dir / std::to_string(i);
    janus::write_atomically(name.string() + ".png",
                            janus::encode_png(janus::render(scene, kSide).image, {}));
    write_text(name.string() + ".txt", kCaption);
  }
}

bool is_zorp(const janus::Detection& found) {
  return found.objects.size() == 1 && found.objects[0].shape == zorp().shape &&
         found.objects[0].colour == zorp().colour;
}

void judge(const std::vector<std::string>& pictures) {
  const janus::Detector detector(kSide);
  int right = 0;
  for (const std::string& path : pictures) {
    if (is_zorp(detector.detect(janus::load_image(path)))) ++right;
  }
  std::printf("%.3f\n", static_cast<double>(right) / static_cast<double>(pictures.size()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    janus::check(words.size() >= 2 && (words[0] == "judge" || words.size() == 3),
                 janus::Code::bad_input, "new_class make DIR COUNT | new_class judge PICTURE…");
    if (words[0] == "make") {
      make(words[1], std::stoi(words[2]));
    } else {
      judge({words.begin() + 1, words.end()});
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "new_class: %s\n", error.what());
    return 1;
  }
  return 0;
}
