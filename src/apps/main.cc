// januspro: the one program a user needs. Runs what the command line asks for, and turns what went
// wrong into a line on stderr and an exit code. SPDX-License-Identifier: MIT
#include <exception>
#include <new>
#include <string>

#include "apps/command_line.h"
#include "base/error.h"

namespace {

enum Exit { kDone = 0, kFailed = 1, kWrongUse = 2, kInterrupted = 130 };

}  // namespace

int main(int argc, char** argv) {
  janus::Interrupt interrupt;
  try {
    janus::CommandLine line(interrupt);
    line.parse({argv + (argc > 0 ? 1 : 0), argv + argc})();
    return kDone;
  } catch (const janus::UsageError& error) {
    janus::say(std::string("januspro: ") + error.what() +
               "\nTry januspro --help, or januspro VERB --help.");
    return kWrongUse;
  } catch (const janus::Error& error) {
    janus::say(std::string("januspro: ") + error.what());
    return error.code() == janus::Code::cancelled ? kInterrupted : kFailed;
  } catch (const std::bad_alloc&) {
    janus::say("januspro: out of memory; draw fewer pictures at once, or use a smaller model");
    return kFailed;
  } catch (const std::exception& error) {
    janus::say(std::string("januspro: ") + error.what());
    return kFailed;
  }
}
