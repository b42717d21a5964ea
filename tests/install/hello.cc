// A program in C++ against the installed library: the same by a call and by a job, an error caught
// across the border of the library. hello MODEL FOLDER writes FOLDER/hello-cc.png.
// SPDX-License-Identifier: MIT
#include <chrono>
#include <filesystem>
#include <iostream>
#include <januspro/januspro.hpp>

namespace {

int run(const std::filesystem::path& model, const std::filesystem::path& folder) {
  janus::Engine engine = janus::Engine::load({.checkpoint = model});
  const auto pictures = engine.draw({.prompt = "a red ball", .seed = 7});
  const janus::Job job = engine.submit({.prompt = "a red ball", .seed = 7});
  janus::JobView view = job.view();
  while (!view.over()) view = job.wait_change(view.change, std::chrono::seconds(1));
  if (job.pictures().at(0).image != pictures.at(0).image || job.codes(0) != pictures[0].codes) {
    std::cerr << "a job drew another picture than a call\n";
    return 1;
  }
  janus::save_file(folder / "hello-cc.png", janus::encode_picture(pictures[0].image));
  const janus::Answer answer =
      engine.ask({.messages = {{"user", "What is in the picture?", {pictures[0].image}}}});
  std::cout << answer.text << "\nhello from C++, januspro " << janus::version() << '\n';
  return answer.text.empty();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  try {
    janus::Engine::load({.checkpoint = "here/is/no/model"});
    return 1;
  } catch (const janus::Error& error) {
    std::cout << "as it should be: " << error.what() << '\n';
  }
  return run(arguments[1], arguments[2]);
}
