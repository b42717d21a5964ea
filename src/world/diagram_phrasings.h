// How questions about diagrams are put, six ways each; the last way is held out of training.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string_view>

namespace janus {

using DiagramPhrasings = std::array<std::string_view, 6>;

inline constexpr DiagramPhrasings kWholeFlow = {
    "write down the flow chart",     "read the flow chart",
    "give the flow chart as text",   "list the arrows of the flow chart",
    "what does the flow chart say?", "put the flow chart into words"};
inline constexpr DiagramPhrasings kNext = {"what comes after {node}?",
                                           "which step comes after {node}?",
                                           "where does the arrow from {node} lead?",
                                           "what follows {node}?",
                                           "after {node}, what comes next?",
                                           "which step follows {node}?"};
inline constexpr DiagramPhrasings kBranch = {"what comes after {node} if the answer is {branch}?",
                                             "where does {branch} lead from {node}?",
                                             "at {node}, where does {branch} go?",
                                             "what follows {node} on {branch}?",
                                             "if {node} says {branch}, what comes next?",
                                             "which step follows {node} if it is {branch}?"};
inline constexpr DiagramPhrasings kDecisions = {
    "how many decisions are there?",           "count the decisions",
    "how many decisions does the chart have?", "how many decisions do you see?",
    "what is the number of decisions?",        "how many decisions are in the flow chart?"};
inline constexpr DiagramPhrasings kStart = {
    "where does it start?", "where does the flow chart start?", "which step is the first?",
    "what is the start?",   "where does the flow chart begin?", "which step does it start with?"};

inline constexpr DiagramPhrasings kWholeChart = {
    "write down the bar chart",         "read the bar chart",
    "give the bar chart as text",       "list the values of the bar chart",
    "what are the values of all bars?", "put the bar chart into words"};
inline constexpr DiagramPhrasings kValue = {
    "what is the value of {bar}?", "how high is {bar}?", "what value does {bar} have?",
    "read the value of {bar}",     "how much is {bar}?", "which value does bar {bar} have?"};
inline constexpr DiagramPhrasings kHighest = {
    "which bar is the highest?", "which is the highest bar?",
    "what bar is the tallest?",  "which bar has the highest value?",
    "name the highest bar",      "which bar is higher than all others?"};
inline constexpr DiagramPhrasings kSum = {"what is the sum of {bar} and {other}?",
                                          "how much are {bar} and {other} together?",
                                          "add {bar} and {other}",
                                          "what do {bar} and {other} add up to?",
                                          "give the sum of {bar} and {other}",
                                          "how much is {bar} plus {other}?"};
inline constexpr DiagramPhrasings kDifference = {
    "what is the difference between {bar} and {other}?",
    "how far apart are {bar} and {other}?",
    "by how much do {bar} and {other} differ?",
    "give the difference between {bar} and {other}",
    "what is the difference of {bar} and {other}?",
    "how much do {bar} and {other} differ?"};
inline constexpr DiagramPhrasings kAbove = {
    "how many bars are above {value}?",   "how many bars are higher than {value}?",
    "count the bars above {value}",       "how many bars have a value above {value}?",
    "how many values are above {value}?", "what is the number of bars above {value}?"};

inline constexpr DiagramPhrasings kWholeCircuit = {
    "write down the circuit",        "read the circuit",          "give the circuit as text",
    "list the parts of the circuit", "how is the circuit wired?", "put the circuit into words"};
inline constexpr DiagramPhrasings kLamps = {"how many lamps are there?",
                                            "count the lamps",
                                            "how many lamps does the circuit have?",
                                            "how many lamps do you see?",
                                            "what is the number of lamps?",
                                            "how many lamps are in the circuit?"};
inline constexpr DiagramPhrasings kParallel = {
    "are {one} and {other} in parallel?",       "is {one} parallel to {other}?",
    "do {one} and {other} lie in parallel?",    "yes or no: are {one} and {other} in parallel?",
    "are {one} and {other} wired in parallel?", "are {one} and {other} parallel?"};
inline constexpr DiagramPhrasings kLights = {"which lamps light if switch {switch} is {state}?",
                                             "if {switch} is {state}, which lamps light?",
                                             "with {switch} {state}, which lamps light?",
                                             "which lamps are lit if {switch} is {state}?",
                                             "which lamps burn if switch {switch} is {state}?",
                                             "if switch {switch} is {state}, which lamps are lit?"};

}  // namespace janus
