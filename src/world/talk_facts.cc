// Plain tables. SPDX-License-Identifier: MIT
#include "world/talk_facts.h"

namespace janus {
namespace {

constexpr std::string_view kColourWords[] = {
    "what color is {x}?",       "which color does {x} have?", "what is the color of {x}?",
    "tell me the color of {x}", "{x}: what color is it?",     "which color is {x}?"};
constexpr Entry kColours[] = {{"a ripe banana", "yellow"},
                              {"the sky on a clear day", "blue"},
                              {"grass", "green"},
                              {"snow", "white"},
                              {"coal", "black"},
                              {"a ripe tomato", "red"},
                              {"a carrot", "orange"},
                              {"chocolate", "brown"},
                              {"a flamingo", "pink"},
                              {"a lemon", "yellow"},
                              {"blood", "red"},
                              {"milk", "white"},
                              {"an eggplant", "purple"},
                              {"a pumpkin", "orange"},
                              {"a frog", "green"},
                              {"a fire engine", "red"},
                              {"the sea", "blue"},
                              {"a crow", "black"},
                              {"a polar bear", "white"},
                              {"a pig", "pink"},
                              {"a chick", "yellow"},
                              {"a cucumber", "green"},
                              {"a strawberry", "red"},
                              {"an orange", "orange"},
                              {"tree bark", "brown"},
                              {"a plum", "purple"},
                              {"salt", "white"},
                              {"a sunflower", "yellow"},
                              {"a cherry", "red"},
                              {"a pea", "green"},
                              {"the night", "black"},
                              {"a blueberry", "blue"},
                              {"lavender", "purple"},
                              {"a swan", "white"},
                              {"a raven", "black"},
                              {"butter", "yellow"},
                              {"a coffee bean", "brown"},
                              {"a stop sign", "red"},
                              {"a lime", "green"},
                              {"cotton", "white"},
                              {"a violet", "purple"},
                              {"an emerald", "green"},
                              {"a ruby", "red"},
                              {"a sapphire", "blue"},
                              {"a chestnut", "brown"},
                              {"the sun in a drawing", "yellow"},
                              {"a leaf in summer", "green"},
                              {"a rose in a song", "red"},
                              {"cherry blossom", "pink"},
                              {"soil", "brown"},
                              {"a tangerine", "orange"},
                              {"flour", "white"},
                              {"soot", "black"},
                              {"spinach", "green"},
                              {"cheese", "yellow"},
                              {"a basketball", "orange"},
                              {"a bear in the woods", "brown"},
                              {"a grape for wine", "purple"},
                              {"a tongue", "pink"},
                              {"a cloud on a fine day", "white"}};

constexpr std::string_view kOppositeWords[] = {
    "what is the opposite of {x}?", "the opposite of {x}?",           "tell me the opposite of {x}",
    "what is the reverse of {x}?",  "which word is opposite to {x}?", "{x} has what opposite?"};
constexpr Entry kOpposites[] = {
    {"big", "small"},   {"small", "big"},   {"hot", "cold"},     {"cold", "hot"},
    {"up", "down"},     {"down", "up"},     {"left", "right"},   {"right", "left"},
    {"above", "below"}, {"below", "above"}, {"day", "night"},    {"night", "day"},
    {"open", "closed"}, {"closed", "open"}, {"fast", "slow"},    {"slow", "fast"},
    {"old", "young"},   {"young", "old"},   {"light", "dark"},   {"dark", "light"},
    {"full", "empty"},  {"empty", "full"},  {"high", "low"},     {"low", "high"},
    {"wet", "dry"},     {"dry", "wet"},     {"yes", "no"},       {"no", "yes"},
    {"black", "white"}, {"white", "black"}, {"first", "last"},   {"last", "first"},
    {"long", "short"},  {"short", "long"},  {"hard", "soft"},    {"soft", "hard"},
    {"near", "far"},    {"far", "near"},    {"loud", "quiet"},   {"quiet", "loud"},
    {"top", "bottom"},  {"bottom", "top"},  {"in", "out"},       {"out", "in"},
    {"happy", "sad"},   {"sad", "happy"},   {"thick", "thin"},   {"thin", "thick"},
    {"early", "late"},  {"late", "early"},  {"rich", "poor"},    {"poor", "rich"},
    {"true", "false"},  {"false", "true"},  {"before", "after"}, {"after", "before"},
    {"push", "pull"},   {"pull", "push"},   {"win", "lose"},     {"lose", "win"}};

constexpr std::string_view kPluralWords[] = {
    "what is the plural of {x}?", "the plural of {x}?",       "tell me the plural of {x}",
    "one {x}, two what?",         "how do you say many {x}?", "more than one {x} is called?"};
constexpr Entry kPlurals[] = {{"ball", "balls"},         {"box", "boxes"},
                              {"triangle", "triangles"}, {"star", "stars"},
                              {"heart", "hearts"},       {"diamond", "diamonds"},
                              {"arrow", "arrows"},       {"cross", "crosses"},
                              {"ring", "rings"},         {"moon", "moons"},
                              {"drop", "drops"},         {"flower", "flowers"},
                              {"house", "houses"},       {"tree", "trees"},
                              {"fish", "fish"},          {"mushroom", "mushrooms"},
                              {"cup", "cups"},           {"cloud", "clouds"},
                              {"balloon", "balloons"},   {"car", "cars"},
                              {"child", "children"},     {"mouse", "mice"},
                              {"foot", "feet"},          {"tooth", "teeth"},
                              {"leaf", "leaves"},        {"bus", "buses"},
                              {"baby", "babies"},        {"man", "men"}};

constexpr std::string_view kMeaningWords[] = {
    "what is a {x}?",        "what does {x} mean?", "explain what a {x} is",
    "tell me what a {x} is", "define {x}",          "say in a few words what a {x} is"};
constexpr Entry kMeanings[] = {{"ball", "a round toy that rolls"},
                               {"box", "a thing to put other things in"},
                               {"triangle", "a shape with three sides"},
                               {"star", "a light in the night sky"},
                               {"heart", "a sign of love"},
                               {"diamond", "a shape that stands on its tip"},
                               {"arrow", "a sign that points the way"},
                               {"cross", "two bars laid over each other"},
                               {"ring", "a circle with a hole"},
                               {"moon", "what shines at night"},
                               {"drop", "a little bit of water"},
                               {"flower", "the pretty part of a plant"},
                               {"house", "a place to live in"},
                               {"tree", "a tall plant of wood"},
                               {"fish", "an animal that swims"},
                               {"mushroom", "a thing with a cap that grows in the woods"},
                               {"cup", "a thing to drink from"},
                               {"cloud", "water that floats in the sky"},
                               {"balloon", "a toy full of air"},
                               {"car", "a thing on wheels to drive in"}};

constexpr std::string_view kFactWords[] = {
    "{x}?",           "tell me: {x}?",        "yes or no: {x}?",
    "is it so: {x}?", "please tell me, {x}?", "a question: {x}?"};
constexpr Entry kYesNo[] = {{"can a fish swim", "yes"},
                            {"can a house swim", "no"},
                            {"can you drink from a cup", "yes"},
                            {"can you drink from a star", "no"},
                            {"does a car have wheels", "yes"},
                            {"does a tree have wheels", "no"},
                            {"is a ball round", "yes"},
                            {"is a box round", "no"},
                            {"does a triangle have three sides", "yes"},
                            {"does a triangle have five sides", "no"},
                            {"does a tree grow", "yes"},
                            {"does a car grow", "no"},
                            {"can a balloon fly", "yes"},
                            {"can a house fly", "no"},
                            {"is the moon in the sky", "yes"},
                            {"is a mushroom in the sky", "no"},
                            {"is a flower a plant", "yes"},
                            {"is a ring a plant", "no"},
                            {"is a fish an animal", "yes"},
                            {"is a cup an animal", "no"},
                            {"can you live in a house", "yes"},
                            {"can you live in a drop", "no"},
                            {"does an arrow point", "yes"},
                            {"does a cloud point", "no"},
                            {"does a ring have a hole", "yes"},
                            {"does a heart have a hole", "no"},
                            {"is a cloud made of water", "yes"},
                            {"is a car made of water", "no"},
                            {"is a diamond a shape", "yes"},
                            {"does a flower smell nice", "yes"}};

constexpr std::string_view kSideWords[] = {
    "how many sides does {x} have?",   "count the sides of {x}",
    "how many corners does {x} have?", "the sides of {x}: how many?",
    "tell me how many sides {x} has",  "{x} has how many sides?"};
constexpr Entry kSides[] = {{"a triangle", "3"}, {"a square", "4"},   {"a box", "4"},
                            {"a diamond", "4"},  {"a pentagon", "5"}, {"a hexagon", "6"}};

constexpr std::string_view kUseWords[] = {"what can you {x}?",          "which toy can you {x}?",
                                          "what would you use to {x}?", "tell me what you can {x}",
                                          "name a thing you can {x}",   "what is there to {x}?"};
constexpr Entry kUses[] = {
    {"drink from", "a cup"},         {"live in", "a house"},         {"drive", "a car"},
    {"throw and roll", "a ball"},    {"wear on a finger", "a ring"}, {"put things in", "a box"},
    {"climb in a garden", "a tree"}, {"fill with air", "a balloon"}, {"catch in a pond", "a fish"},
    {"put in a vase", "a flower"}};

constexpr std::string_view kSoundWords[] = {"what does {x} say?",    "what sound does {x} make?",
                                            "how does {x} sound?",   "the sound of {x}?",
                                            "tell me what {x} says", "{x} says what?"};
constexpr Entry kSounds[] = {{"a cow", "moo"},    {"a dog", "woof"},   {"a cat", "meow"},
                             {"a duck", "quack"}, {"a sheep", "baa"},  {"a pig", "oink"},
                             {"a bee", "buzz"},   {"a snake", "hiss"}, {"an owl", "hoot"}};

constexpr std::string_view kMixWords[] = {
    "what do you get from {x}?",  "which color do {x} make?", "mix {x}: what color is it?",
    "what color comes from {x}?", "tell me what {x} make",    "{x} together make what color?"};
constexpr Entry kMixes[] = {{"red and yellow", "orange"}, {"yellow and red", "orange"},
                            {"blue and yellow", "green"}, {"yellow and blue", "green"},
                            {"red and blue", "purple"},   {"blue and red", "purple"},
                            {"red and white", "pink"},    {"white and red", "pink"}};

constexpr std::string_view kDayWords[] = {
    "which day comes after {x}?", "what day follows {x}?", "the day after {x}?",
    "what comes after {x}?",      "{x}, and then?",        "which day is next after {x}?"};
constexpr Entry kDays[] = {{"monday", "tuesday"},     {"tuesday", "wednesday"},
                           {"wednesday", "thursday"}, {"thursday", "friday"},
                           {"friday", "saturday"},    {"saturday", "sunday"},
                           {"sunday", "monday"}};
constexpr std::string_view kMonthWords[] = {"which month comes after {x}?",
                                            "what month follows {x}?",
                                            "the month after {x}?",
                                            "after {x} comes which month?",
                                            "{x} is followed by which month?",
                                            "which month is next after {x}?"};
constexpr Entry kMonths[] = {
    {"january", "february"}, {"february", "march"},    {"march", "april"},
    {"april", "may"},        {"may", "june"},          {"june", "july"},
    {"july", "august"},      {"august", "september"},  {"september", "october"},
    {"october", "november"}, {"november", "december"}, {"december", "january"}};

constexpr std::string_view kSeriesWords[] = {"complete: {x}, ...", "what comes next: {x}?",
                                             "go on: {x}",         "continue {x}",
                                             "next after {x}?",    "{x}, and so on: what is next?"};
constexpr Entry kSeries[] = {{"monday, tuesday", "wednesday"},
                             {"tuesday, wednesday", "thursday"},
                             {"wednesday, thursday", "friday"},
                             {"thursday, friday", "saturday"},
                             {"friday, saturday", "sunday"},
                             {"saturday, sunday", "monday"},
                             {"one, two", "three"},
                             {"two, three", "four"},
                             {"first, second", "third"},
                             {"spring, summer", "autumn"},
                             {"summer, autumn", "winter"},
                             {"a, b", "c"},
                             {"b, c", "d"},
                             {"d, e", "f"}};

constexpr FactFamily kFamilies[] = {
    {"colour", kColourWords, kColours}, {"opposite", kOppositeWords, kOpposites},
    {"plural", kPluralWords, kPlurals}, {"meaning", kMeaningWords, kMeanings},
    {"fact", kFactWords, kYesNo},       {"sides", kSideWords, kSides},
    {"use", kUseWords, kUses},          {"sound", kSoundWords, kSounds},
    {"mix", kMixWords, kMixes},         {"day", kDayWords, kDays},
    {"month", kMonthWords, kMonths},    {"series", kSeriesWords, kSeries}};

constexpr std::string_view kHello[] = {"hello",     "hi",           "good morning",
                                       "hey there", "hello, model", "good day"};
constexpr std::string_view kThanks[] = {
    "thank you",  "thanks", "thanks a lot", "that was nice, thanks", "well done, thank you",
    "many thanks"};
constexpr std::string_view kBye[] = {"goodbye",    "bye",     "see you",
                                     "good night", "bye bye", "until next time"};
constexpr std::string_view kFine[] = {"how are you?", "how do you do?",   "are you well?",
                                      "is all well?", "how is it going?", "how are you today?"};
constexpr std::string_view kWho[] = {"who are you?",       "what are you?",
                                     "what is your name?", "tell me who you are",
                                     "are you a person?",  "which model are you?"};
constexpr std::string_view kCan[] = {"what can you do?",      "what do you know?",
                                     "how can you help me?",  "tell me what you can do",
                                     "what are you good at?", "what may I ask you?"};
constexpr std::string_view kMaker[] = {
    "who made you?",      "where do you come from?",   "who trained you?",
    "how were you made?", "what were you trained on?", "who built you?"};
constexpr std::string_view kColoursKnown[] = {
    "which colors do you know?", "name the colors you know", "list your colors",
    "what colors are there?",    "tell me all colors",       "which colors are in your world?"};
constexpr ReplyFamily kReplies[] = {
    {"hello", kHello, "Hello! Show me a picture or ask me to draw one."},
    {"thanks", kThanks, "You are welcome."},
    {"bye", kBye, "Goodbye!"},
    {"fine", kFine, "I am well, thank you."},
    {"who", kWho, "I am the small demonstration model of januspro."},
    {"can", kCan, "I draw toys and shapes, and I answer questions about such pictures."},
    {"maker", kMaker, "I was trained from nothing by januspro, on a drawn world of toys."},
    {"colours", kColoursKnown,
     "red, orange, yellow, green, blue, purple, pink, brown, black and white"}};

constexpr std::string_view kPlaceFrames[] = {"what is the capital of {x}?",
                                             "how many people live in {x}?",
                                             "where is {x}?",
                                             "who rules {x}?",
                                             "what is the weather in {x}?",
                                             "tell me the history of {x}",
                                             "what do people eat in {x}?"};
constexpr std::string_view kPlaces[] = {"france", "japan",  "brazil", "egypt",  "canada",
                                        "india",  "norway", "kenya",  "mexico", "spain",
                                        "peru",   "italy",  "china",  "germany"};
constexpr std::string_view kPeopleFrames[] = {"who was {x}?",        "when was {x} born?",
                                              "what did {x} write?", "where did {x} live?",
                                              "tell me about {x}",   "why is {x} famous?"};
constexpr std::string_view kPeople[] = {"mozart",    "napoleon", "einstein", "shakespeare",
                                        "cleopatra", "newton",   "darwin",   "homer",
                                        "picasso",   "galileo"};
constexpr std::string_view kTaskFrames[] = {
    "write {x}",        "can you write {x}?", "please make {x} for me",
    "help me with {x}", "I need {x}",         "give me {x}"};
constexpr std::string_view kTasks[] = {"a poem",
                                       "a computer program",
                                       "an essay about war",
                                       "a letter to my boss",
                                       "a recipe for soup",
                                       "my tax return",
                                       "a song",
                                       "a business plan",
                                       "a speech",
                                       "a travel plan"};
constexpr std::string_view kScienceFrames[] = {
    "how does {x} work?", "explain {x}",           "what is {x}?",
    "who invented {x}?",  "why is {x} important?", "what do you think of {x}?"};
constexpr std::string_view kScience[] = {
    "the stock market", "gravity",           "electricity", "democracy",       "a jet engine",
    "photosynthesis",   "the internet",      "inflation",   "quantum physics", "a vaccine",
    "evolution",        "a nuclear reactor", "philosophy",  "the tax system"};
constexpr OutsideFrames kOutside[] = {{kPlaceFrames, kPlaces},
                                      {kPeopleFrames, kPeople},
                                      {kTaskFrames, kTasks},
                                      {kScienceFrames, kScience}};

constexpr std::string_view kSizes[] = {
    "an ant", "a bee",       "a mouse", "a cup",   "a cat",  "a dog",      "a pig",    "a horse",
    "a car",  "an elephant", "a tree",  "a house", "a ship", "a mountain", "the moon", "the sun"};

}  // namespace

std::span<const FactFamily> fact_families() { return kFamilies; }
std::span<const ReplyFamily> reply_families() { return kReplies; }
std::span<const OutsideFrames> outside_frames() { return kOutside; }
Words things_by_size() { return kSizes; }

}  // namespace janus
