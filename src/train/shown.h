// A few of the samples that a report judges, for people to look at: the same ones at every report.
// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

namespace janus::train {

using Figures = std::map<std::string, double>;  // name -> value, for the progress log

struct Said {
  std::string question, reply;
  std::string wanted;  // empty: nobody knows
};

struct Shown {
  std::string name;     // of the stream, or "prompts" and "questions" of the recipe's own
  std::string picture;  // the contact sheet's file name, of what is drawn
  int columns = 0, width = 0, height = 0;  // of the sheet: pictures a row, and pixels
  std::vector<std::string> prompts;        // of its pictures, row after row
  std::vector<Said> said;                  // of what is read
};

struct Evaluation {
  Figures figures;
  std::vector<Shown> shown;
};

}  // namespace janus::train
