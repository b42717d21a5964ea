// Any bytes as a saved conversation: accepted or refused, never more. What is accepted has whole
// turns, and pictures in those of the user alone. SPDX-License-Identifier: MIT
#include <cstdlib>
#include <string>

#include "apps/transcript.h"
#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  janus::only_refuses([&] {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const janus::Conversation conversation = janus::parse_conversation(text, "talk.json");
    if (conversation.messages.size() % 2 != 0) std::abort();
    for (size_t i = 1; i < conversation.messages.size(); i += 2) {
      if (!conversation.messages[i].images.empty()) std::abort();
    }
  });
  return 0;
}
