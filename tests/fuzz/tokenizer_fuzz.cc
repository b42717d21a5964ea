// Any bytes as a tokenizer.json, and any text through the table it gives: an Error at worst. The
// input is the JSON, a zero byte, and the text; without a zero byte the text is empty.
// SPDX-License-Identifier: MIT
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "io/tokenizer.h"

namespace {

void use(const janus::Tokenizer& tokenizer, std::string_view text) {
  const std::vector<int32_t> ids = tokenizer.encode(text);
  janus::TextStream stream(tokenizer, true);
  std::string streamed;
  for (const int32_t id : ids) streamed += stream.push(id);
  streamed += stream.finish();
  if (streamed != tokenizer.decode(ids, true)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const std::string_view text = zero == input.npos ? std::string_view() : input.substr(zero + 1);
  try {
    use(janus::Tokenizer::parse(input.substr(0, zero), "fuzz.json"), text);
  } catch (const janus::Error&) {
  }
  return 0;
}
