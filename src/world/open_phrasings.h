// How the short open questions are put, six ways each; the last way is held out of training.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string_view>

namespace janus {

using Phrasings = std::array<std::string_view, 6>;

inline constexpr Phrasings kWhat = {"what is in the picture?",
                                    "what is this?",
                                    "what do you see?",
                                    "what does the picture show?",
                                    "what can you see in the picture?",
                                    "what is shown in the picture?"};
inline constexpr Phrasings kColour = {
    "what color is the {class}?",        "which color does the {class} have?",
    "what is the color of the {class}?", "the {class} is what color?",
    "tell me the color of the {class}",  "which color is the {class}?"};
inline constexpr Phrasings kCount = {
    "how many {plural} are there?",    "count the {plural}",
    "how many {plural} do you see?",   "how many {plural} are in the picture?",
    "what is the number of {plural}?", "how many {plural} can you see?"};
inline constexpr Phrasings kWhere = {"where is the {class}?",
                                     "where is the {class} in the picture?",
                                     "where can you see the {class}?",
                                     "in which place is the {class}?",
                                     "what is the place of the {class}?",
                                     "in the picture, where is the {class}?"};
inline constexpr Phrasings kRelation = {"where is the {class} relative to the {other}?",
                                        "where is the {class} from the {other}?",
                                        "relative to the {other}, where is the {class}?",
                                        "how is the {class} placed relative to the {other}?",
                                        "seen from the {other}, where is the {class}?",
                                        "from the {other}, where is the {class}?"};
inline constexpr Phrasings kSideways = {"is the {class} left or right of the {other}?",
                                        "is the {class} right or left of the {other}?",
                                        "does the {class} lie left or right of the {other}?",
                                        "left or right of the {other}: where is the {class}?",
                                        "tell me, is the {class} left or right of the {other}?",
                                        "tell me, is the {class} right or left of the {other}?"};
inline constexpr Phrasings kUpright = {"is the {class} above or below the {other}?",
                                       "is the {class} below or above the {other}?",
                                       "does the {class} lie above or below the {other}?",
                                       "above or below the {other}: where is the {class}?",
                                       "tell me, is the {class} above or below the {other}?",
                                       "tell me, is the {class} below or above the {other}?"};
inline constexpr Phrasings kExists = {"is there {a thing}?",
                                      "do you see {a thing}?",
                                      "is there {a thing} in the picture?",
                                      "does the picture show {a thing}?",
                                      "can you see {a thing}?",
                                      "do you see {a thing} in the picture?"};
inline constexpr Phrasings kShape = {
    "what shape is {color}?",  "which object is {color}?",
    "what is {color}?",        "what is {color} in the picture?",
    "which shape is {color}?", "which object in the picture is {color}?"};
inline constexpr Phrasings kBeside = {
    "what is {relation} the {class}?",         "what do you see {relation} the {class}?",
    "which object is {relation} the {class}?", "what lies {relation} the {class}?",
    "tell me what is {relation} the {class}",  "which object lies {relation} the {class}?"};
inline constexpr Phrasings kBigger = {"which is bigger, the {class} or the {other}?",
                                      "what is bigger, the {class} or the {other}?",
                                      "is the {class} or the {other} bigger?",
                                      "which object is bigger, the {class} or the {other}?",
                                      "tell me which is bigger, the {class} or the {other}",
                                      "which one is bigger, the {class} or the {other}?"};
inline constexpr Phrasings kBackdrop = {
    "what is the background like?",        "what is the background?",
    "how does the background look?",       "what does the background look like?",
    "tell me what the background is like", "how is the background?"};

}  // namespace janus
