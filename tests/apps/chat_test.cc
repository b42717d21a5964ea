// `januspro chat` from a script: what is said, drawn, saved and refused.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "apps/transcript.h"
#include "januspro/januspro.hpp"
#include "program.h"

namespace janus {
namespace {

using Strings = std::vector<std::string>;

std::string toyland() { return std::string(JANUSPRO_SOURCE_DIR) + "/models/toyland"; }

// Each line a turn, through a pipe.
Outcome talk(const Strings& lines, const Strings& flags, Setting setting = {}) {
  Strings arguments{"chat"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  setting.input = {{"", text}};
  return run_program(arguments, setting);
}

nlohmann::json asked(const Strings& flags) {
  Strings arguments{"ask", "--json"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return nlohmann::json::parse(outcome.out);
}

std::string stripped(const std::string& answer) {
  const size_t first = answer.find_first_not_of(" \t\r\n");
  return first == std::string::npos ? "" : answer.substr(first);
}

// What --verbose says of each answer: tokens of the prompt, those kept, those of the answer.
std::vector<std::array<int, 3>> stats_of(const Outcome& outcome) {
  const std::regex pattern(R"(tokens: (\d+) of the prompt \((\d+) as before\), (\d+) of)");
  std::vector<std::array<int, 3>> found;
  for (const std::string& line : lines_of(outcome.err)) {
    std::smatch match;
    if (!std::regex_search(line, match, pattern)) continue;
    found.push_back({std::stoi(match[1]), std::stoi(match[2]), std::stoi(match[3])});
  }
  return found;
}

TEST(ChatProgram, ADrawnPictureIsAskedAbout) {
  const Folder folder;
  const Outcome chat =
      talk({"/seed 7", "/draw a red ball", "What colour is it?", "", "How many toys are there?"},
           {"-m", toyland(), "-o", folder.path().string(), "--verbose"});
  EXPECT_EQ(chat.code, 0) << chat.err;
  const Strings lines = lines_of(chat.out);
  ASSERT_EQ(lines.size(), 3u) << chat.out;
  const std::string png = folder.file("januspro-7.png");
  EXPECT_EQ(lines[0], png);

  // The picture is the one that `draw` makes, recipe and all …
  run_program({"draw", "a red ball", "--seed", "7", "-m", toyland(), "-o", folder.file("b.png")});
  EXPECT_EQ(read_file(png), read_file(folder.file("b.png")));
  // … and the prompt is that of `ask` with the file.
  const auto with = asked({"-m", toyland(), "-i", png, "What colour is it?"});
  EXPECT_EQ(lines[1], stripped(with["text"]));
  EXPECT_EQ(lines[1], "red");
  const auto stats = stats_of(chat);
  ASSERT_EQ(stats.size(), 2u) << chat.err;
  EXPECT_EQ(stats[0][0], with["prompt_tokens"]);
  EXPECT_EQ(stats[0][2], with["answer_tokens"]);
  const auto without = asked({"-m", toyland(), "What colour is it?"});
  EXPECT_GE(stats[0][0], without["prompt_tokens"].get<int>() + 144 + 2);

  // The second turn goes on from the first.
  EXPECT_GE(stats[1][1], stats[0][0] - 1);
  Engine engine = Engine::load({.checkpoint = toyland(), .remember = false});
  const Answer second =
      engine.ask({.messages = {{"user", "What colour is it?", {load_picture(png)}},
                               {"assistant", with["text"], {}},
                               {"user", "How many toys are there?", {}}}});
  EXPECT_EQ(lines[2], stripped(second.text));
  EXPECT_EQ(stats[1][0], second.prompt_tokens);
}

TEST(ChatProgram, PicturesComeFromFlagsAndCommands) {
  const Folder folder;
  const std::string rocket = golden("images/rocket.jpg"), photo = golden("images/astronaut-64.png");
  const std::string spaced = folder.file("a b'c.png");
  std::filesystem::copy_file(photo, spaced);
  const std::string tiny = golden("tiny-hf");
  const auto both = asked({"-m", tiny, "-i", rocket, photo, "Which?", "--max-tokens", "6"});
  std::string escaped = spaced;
  escaped.replace(escaped.find(' '), 1, "\\ ").replace(escaped.find('\''), 1, "\\'");
  for (const std::string& path : {photo, "\"" + spaced + "\"", escaped, "  " + photo + "  "}) {
    const Outcome chat = talk({"/image " + path, "Which?"},
                              {"-m", tiny, "-i", rocket, "--max-tokens", "6", "--verbose"});
    EXPECT_EQ(chat.code, 0) << chat.err;
    EXPECT_EQ(chat.out, stripped(both["text"]) + "\n") << path;
    ASSERT_EQ(stats_of(chat).size(), 1u);
    EXPECT_EQ(stats_of(chat)[0][0], both["prompt_tokens"]);
  }
  const Outcome home = talk({"/image ~/astronaut-64.png", "Which?"}, {"-m", tiny, "--quiet"},
                            {.environment = {{"HOME", golden("images")}}});
  EXPECT_EQ(home.code, 0) << home.err;
  EXPECT_EQ(home.err, "");
}

// A JPEG that says it lies on its side, and the other kinds of files.
TEST(ChatProgram, EveryKindOfPictureIsReadUpright) {
  const Folder folder;
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder.file(name), std::ios::binary) << bytes;
  };
  Image wide{.width = 24, .height = 16, .rgb = {}};
  for (int i = 0; i < 24 * 16 * 3; ++i) wide.rgb.push_back(static_cast<uint8_t>(i));
  const auto encoded = [&](PictureFormat format) {
    const std::vector<std::byte> bytes = encode_picture(wide, {}, {format});
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  write("a.webp", encoded(PictureFormat::webp));
  const char exif[] =
      "\xFF\xE1\0\x22"
      "Exif\0\0"
      "II*\0\x08\0\0\0"
      "\x01\0"
      "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
      "\0\0\0\0";
  write("b.jpg", encoded(PictureFormat::jpeg).insert(2, exif, sizeof exif - 1));
  const std::string corpus = std::string(JANUSPRO_SOURCE_DIR) + "/tests/fuzz/corpus/";
  Strings paths{folder.file("a.webp"), folder.file("b.jpg"), corpus + "bmp/24-bits",
                corpus + "gif/palette"};
  Strings turns, notes;
  for (const std::string& path : paths) {
    const Image seen = load_picture(path);
    turns.push_back("/image " + path);
    notes.push_back("picture " + std::to_string(turns.size()) + ": " + path + ", " +
                    std::to_string(seen.width) + " x " + std::to_string(seen.height));
  }
  EXPECT_NE(notes[1].find("16 x 24"), std::string::npos) << notes[1];
  turns.push_back("Which?");
  notes.push_back("cut at --max-tokens 6");
  const Strings flags{"-m", golden("tiny-hf"), "--max-tokens", "6"};
  const Outcome chat = talk(turns, flags);
  EXPECT_EQ(chat.code, 0) << chat.err;
  EXPECT_EQ(lines_of(chat.err), notes);
  Strings ask = flags;
  for (const std::string& path : paths) ask.insert(ask.end(), {"-i", path});
  ask.push_back("Which?");
  EXPECT_EQ(chat.out, stripped(asked(ask)["text"]) + "\n");
}

TEST(ChatProgram, JsonIsOneObjectAResult) {
  const Folder folder;
  const std::string json = folder.file("a.json");
  const Strings flags{"-m", golden("tiny-hf"), "--max-tokens", "6", "-o", folder.path().string()};
  Strings with = flags;
  with.push_back("--json");
  const Strings turns{"/seed 5", "/draw blue", "What?", "/help", "Sure?", "/save " + json};
  const Outcome chat = talk(turns, with);
  EXPECT_EQ(chat.code, 0) << chat.err;
  EXPECT_NE(chat.err.find("/draw PROMPT"), std::string::npos);
  const Strings lines = lines_of(chat.out);
  ASSERT_EQ(lines.size(), 4u) << chat.out;
  std::vector<nlohmann::json> objects;
  for (const std::string& line : lines) objects.push_back(nlohmann::json::parse(line));
  EXPECT_EQ(objects[0]["path"], folder.file("januspro-5.png"));
  EXPECT_EQ(objects[0]["prompt"], "blue");
  EXPECT_EQ(objects[0]["seed"], 5);
  EXPECT_EQ(objects[0]["model"], "tiny-hf");
  EXPECT_GT(objects[0]["seconds"], 0);
  const auto alone = asked(
      {"-m", golden("tiny-hf"), "--max-tokens", "6", "-i", folder.file("januspro-5.png"), "What?"});
  for (const char* key : {"text", "finish", "prompt_tokens", "answer_tokens"}) {
    EXPECT_EQ(objects[1][key], alone[key]) << key;
  }
  EXPECT_LT(objects[1]["cached_tokens"], 10);  // what the drawing's prompt began with
  EXPECT_GE(objects[2]["cached_tokens"], objects[1]["prompt_tokens"].get<int>() - 1);
  EXPECT_EQ(objects[3], (nlohmann::json{{"saved", json}}));
  const Strings plain = lines_of(talk(turns, flags).out);
  EXPECT_EQ(plain[1], stripped(objects[1]["text"]));
}

TEST(ChatProgram, ErrorsEndTheTurnAlone) {
  const Folder folder;
  std::ofstream(folder.file("bad.png")) << "no picture";
  const Strings flags{"-m", golden("tiny-hf"), "--max-tokens", "6", "-o", folder.path().string()};
  std::string endless = "/draw";
  for (int i = 0; i < 17000; ++i) endless += " x";
  const Outcome smooth = talk({"hi", "Which?"}, flags);
  EXPECT_EQ(smooth.code, 0) << smooth.err;
  const Outcome rough =
      talk({"/image " + folder.file("none.png"), "/image " + folder.file("bad.png"), "/image", "hi",
            "/paint x", "/draw", endless, "/seed -3", "/seed 3x", "\xff", "<image_placeholder>",
            "/save " + folder.file("no/a.json"), "/save " + folder.file("bad.png"), "Which?"},
           flags);
  EXPECT_EQ(rough.code, 1);
  EXPECT_EQ(rough.out, smooth.out);
  for (const char* cause : {"none.png", "bad.png", "/image wants", "no command /paint",
                            "/draw wants", "context", "no such directory", "not \"-3\"",
                            "not \"3x\"", "UTF-8", "1 <image_placeholder> and 0 pictures",
                            "name it .json", "/clear begins a new one", "12 turns failed"}) {
    EXPECT_NE(rough.err.find(cause), std::string::npos) << cause << "\n" << rough.err;
  }
  EXPECT_EQ(folder.names(), Strings{"bad.png"});
}

TEST(ChatProgram, AFullContextIsSaidAndClearedAway) {
  const Folder folder;
  const std::string photo = golden("images/astronaut-64.png");
  const Strings flags{"-m", toyland(), "--verbose"};
  const Outcome chat = talk({"/image " + photo, "What is it?", "/image " + photo, "/image " + photo,
                             "And these?", "/clear", "What is it?"},
                            flags);
  EXPECT_EQ(chat.code, 1);
  EXPECT_NE(chat.err.find("model's context is 320"), std::string::npos) << chat.err;
  EXPECT_NE(chat.err.find("/clear begins a new one"), std::string::npos) << chat.err;
  const auto stats = stats_of(chat);
  ASSERT_EQ(stats.size(), 2u);
  EXPECT_LT(stats[1][0], stats[0][0] - 144);  // the waiting pictures are gone as well
  EXPECT_EQ(lines_of(chat.out).size(), 2u);

  std::string words;
  for (int i = 0; i < 300; ++i) words += "x ";
  const Outcome filled = talk({words}, flags);  // leaves room for a few tokens
  EXPECT_EQ(filled.code, 0) << filled.err;
}

TEST(ChatProgram, SavedConversationsGoOn) {
  const Folder folder;
  std::filesystem::create_directory(folder.path() / "a");
  std::filesystem::copy_file(golden("images/astronaut-64.png"), folder.file("a/near.png"));
  const std::string far = golden("images/rocket.jpg"), json = folder.file("a/talk.json");
  const Strings flags{"-m", golden("tiny-hf"), "--max-tokens", "9", "--verbose"};
  const Strings begin{"/image " + folder.file("a/near.png"), "What is it?", "/image " + far};
  Strings whole = begin, first = begin;
  whole.insert(whole.end(), {"And this?", "Sure?"});
  first.push_back("/save " + json);
  const Outcome at_once = talk(whole, flags);
  const Outcome saved = talk(first, flags);
  EXPECT_EQ(saved.code, 0) << saved.err;
  EXPECT_EQ(lines_of(saved.out).back(), json);

  const auto file = nlohmann::json::parse(read_file(json));
  EXPECT_EQ(file["model"], "tiny-hf");
  EXPECT_EQ(file["messages"].size(), 2u);
  EXPECT_EQ(file["messages"][0]["images"], nlohmann::json::parse("[\"near.png\"]"));
  EXPECT_EQ(file["messages"][0]["text"], "What is it?");
  EXPECT_EQ(file["messages"][1]["role"], "assistant");
  EXPECT_EQ(file["waiting"], (nlohmann::json{far}));

  std::filesystem::rename(folder.path() / "a", folder.path() / "b");
  Strings loaded = flags;
  loaded.insert(loaded.end(), {"--load", folder.file("b/talk.json")});
  const Outcome rest = talk({"And this?", "Sure?", "/save"}, loaded);
  ASSERT_EQ(rest.code, 0) << rest.err;
  ASSERT_EQ(stats_of(rest).size(), 2u);
  ASSERT_EQ(stats_of(at_once).size(), 3u);
  const Strings tail = lines_of(rest.out);
  EXPECT_EQ(at_once.out, saved.out.substr(0, saved.out.size() - json.size() - 1) +
                             rest.out.substr(0, rest.out.rfind(folder.file("b/talk.json"))));
  EXPECT_EQ(stats_of(rest)[1][0], stats_of(at_once)[2][0]);
  EXPECT_EQ(tail.back(), folder.file("b/talk.json"));  // /save writes where it was loaded from
  EXPECT_EQ(nlohmann::json::parse(read_file(folder.file("b/talk.json")))["messages"].size(), 6u);

  Strings other = loaded;
  other[1] = toyland();
  EXPECT_NE(talk({}, other).err.find("another model"), std::string::npos);
}

TEST(ChatProgram, SystemPromptsAreSavedAndFlagsGoFirst) {
  const Folder folder;
  const std::string json = folder.file("talk.json");
  const Strings flags{"-m", golden("tiny-hf"), "--max-tokens", "3", "--verbose"};
  const auto tokens = [&](const Strings& more, const Strings& lines) {
    Strings all = flags;
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = talk(lines, all);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const auto stats = stats_of(outcome);
    return stats.empty() ? -1 : stats[0][0];
  };
  EXPECT_EQ(tokens({"--system", "Be short."}, {"/save " + json}), -1);
  const int own = tokens({}, {"hi"});
  const int brief = tokens({"--load", json}, {"hi"});
  EXPECT_LT(brief, own);
  EXPECT_LT(tokens({"--load", json, "--system", ""}, {"hi"}), brief);
}

TEST(ChatProgram, ConversationsThatAreNoneAreRefused) {
  const Folder folder;
  const std::string json = folder.file("a.json");
  const std::string head = R"({"format": "januspro conversation 1", "model_hash": "x", )";
  const std::string user = R"({"role": "user", "text": "hi"})";
  const std::string assistant = R"({"role": "assistant", "text": "ho"})";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "not valid JSON"},
      {"[1, 2", "not valid JSON"},
      {"[]", "is not a conversation"},
      {"{}", "is not a conversation"},
      {R"({"format": 1})", "is not a conversation"},
      {R"({"format": "januspro conversation 2"})", "is not a conversation"},
      {R"({"format": "januspro conversation 1"})", "`messages` is missing"},
      {R"({"format": "januspro conversation 1", "messages": []})", "`model_hash` is missing"},
      {head + R"("messages": 3})", "`messages` is missing or not a list"},
      {head + "\"messages\": [" + user + "]}", "without an answer"},
      {head + "\"messages\": [" + assistant + ", " + user + "]}", "message 1 has role"},
      {head + "\"messages\": [" + user + ", " + user + "]}", "message 2 has role"},
      {head + "\"messages\": [" + user + ", {\"role\": \"assistant\"}]}",
       "message 2: `text` is missing"},
      {head + "\"messages\": [3, 4]}", "message 1: `role` is missing"},
      {head + R"("messages": [{"role": "user", "text": "hi", "images": "a.png"}]})",
       "`images` is missing or not a list"},
      {head + "\"messages\": [" + user +
           R"(, {"role": "assistant", "text": "", "images": ["a"]}]})",
       "message 2: pictures belong to the user's"},
      {head + R"("messages": [], "waiting": ["none.png"]})", folder.file("none.png")},
      {head + R"("messages": [], "waiting": [7]})", "what is not a path"},
      {head + R"("messages": [], "system": 7})", "`system` is missing or not a text"}};
  for (const auto& [text, cause] : bad) {
    std::ofstream(json, std::ios::trunc) << text;
    const Outcome outcome = talk({"hi"}, {"-m", golden("tiny-hf"), "--load", json});
    EXPECT_EQ(outcome.code, 1) << text;
    EXPECT_NE(outcome.err.find(cause), std::string::npos) << text << "\n" << outcome.err;
    EXPECT_NE(outcome.err.find(folder.path().string()), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  std::ofstream(json, std::ios::trunc)
      << head << "\"messages\": [" << user << ", " << assistant << "]}";
  EXPECT_EQ(talk({"hi"}, {"-m", golden("tiny-hf"), "--load", json, "--max-tokens", "1"}).code, 0);
}

TEST(Transcript, PicturesOfAFileHaveALimitTogether) {
  const Folder folder;
  Transcript chat;
  const std::string photo = golden("images/astronaut-64.png");
  chat.add_picture(photo, load_picture(photo));
  chat.question("Which?");
  chat.answer("That.");
  chat.add_picture(photo, load_picture(photo));
  const std::string json = folder.file("a.json");
  chat.save(json, "some", ModelInfo{.hash = "x"});
  Transcript other;
  other.question("kept");
  try {
    other.load(json, 2 * 64 * 64 - 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("more than 8191 pixels"), std::string::npos);
  }
  EXPECT_EQ(other.request.messages.size(), 1u);
  EXPECT_EQ(other.load(json, 2 * 64 * 64), "x");
  EXPECT_EQ(other.request.messages.size(), 2u);
  EXPECT_EQ(other.pictures(), 2u);
}

TEST(ChatProgram, SeedsAreSaidKeptAndLetGo) {
  const Folder folder;
  const Strings flags{"-m", golden("tiny-hf"), "-o", folder.path().string()};
  const Outcome chat =
      talk({"/draw blue", "/seed 3", "/draw blue", "/draw red", "/seed", "/draw blue"}, flags);
  EXPECT_EQ(chat.code, 0) << chat.err;
  const Strings paths = lines_of(chat.out);
  ASSERT_EQ(paths.size(), 4u);
  EXPECT_EQ(paths[1], folder.file("januspro-3.png"));
  EXPECT_EQ(paths[2], folder.file("januspro-3-2.png"));  // nothing is overwritten
  EXPECT_NE(load_picture(paths[1]), load_picture(paths[2]));
  std::smatch match;
  ASSERT_TRUE(std::regex_search(chat.err, match, std::regex("^seed (\\d+)\n"))) << chat.err;
  EXPECT_EQ(paths[0], folder.file("januspro-" + match[1].str() + ".png"));
  const auto recipe = [](const std::string& path) {
    return nlohmann::json::parse(picture_text(path).at("parameters"));
  };
  EXPECT_EQ(recipe(paths[0])["seed"], std::stoull(match[1].str()));
  EXPECT_EQ(recipe(paths[2])["prompt"], "red");
  EXPECT_NE(recipe(paths[3])["seed"], 3);
}

TEST(ChatProgram, SamplingFlagsAreThoseOfAsk) {
  const Strings flags{"-m",
                      golden("tiny-hf"),
                      "--temperature",
                      "1.2",
                      "--seed",
                      "9",
                      "--max-tokens",
                      "20",
                      "--stop",
                      "e"};
  Strings ask{"ask", "hello"};
  ask.insert(ask.end(), flags.begin(), flags.end());
  const std::string expected = run_program(ask).out;
  EXPECT_EQ(talk({"hello"}, flags).out, expected);
  Strings later = flags;
  later[5] = "8";
  EXPECT_NE(talk({"hello"}, later).out, expected);
  EXPECT_EQ(talk({"/seed 9", "hello"}, later).out, expected);
  later.erase(later.begin() + 4, later.begin() + 6);
  EXPECT_EQ(talk({"hello"}, later).err.rfind("seed ", 0), 0u);
}

TEST(ChatProgram, LinesAreTakenAsTheyAre) {
  const Strings flags{"-m", golden("tiny-hf"), "--max-tokens", "4", "--quiet"};
  const std::string answer = talk({"hi"}, flags).out;
  const auto typed = [&](const std::string& text) {
    Strings arguments{"chat"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return run_program(arguments, {.input = {{"", text}}});
  };
  EXPECT_EQ(typed("hi").out, answer);
  EXPECT_EQ(typed("hi\r\n\r\n  \n").out, answer);
  EXPECT_EQ(typed("").code, 0);
  EXPECT_EQ(typed("/quit\nhi\n").out, "");
  const Outcome help = typed("/help\n");
  EXPECT_NE(help.out.find("/draw PROMPT"), std::string::npos);
  EXPECT_EQ(help.err, "");
  EXPECT_EQ(typed(" /help\n").code, 0);  // a question
  EXPECT_NE(typed(" /help\n").out, help.out);
  const Outcome endless = typed(std::string(60000, 'x'));  // one line; too long for the context
  EXPECT_NE(endless.err.find("context"), std::string::npos) << endless.err;
}

TEST(ChatProgram, AFullDiskAndASignalEndIt) {
  const Strings flags{"-m", golden("tiny-hf"), "--max-tokens", "4"};
  const Outcome full = talk({"hi", "ho"}, flags, {.out = "/dev/full"});
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("stdout: cannot write: No space left"), std::string::npos) << full.err;
  EXPECT_EQ(full.err.find("turns failed"), std::string::npos) << full.err;
  for (const int signal : {SIGINT, SIGTERM}) {
    Setting setting;
    bool answered = false;
    setting.input = {{"", "hi\n"}, {"never shown", ""}};  // stdin stays open
    setting.signal = signal;
    const Folder folder;
    setting.out = folder.file("out");
    setting.until = [&] { return answered = answered || !read_file(folder.file("out")).empty(); };
    std::ofstream(folder.file("out")) << "";
    Strings arguments{"chat"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = run_program(arguments, setting);
    EXPECT_EQ(outcome.code, 130) << outcome.err;
  }
}

}  // namespace
}  // namespace janus
