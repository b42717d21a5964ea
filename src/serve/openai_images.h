// OpenAI's image generations: JSON -> DrawRequest, pictures -> JSON. Nothing here waits or sends.
// SPDX-License-Identifier: MIT
#pragma once

#include "serve/pictures.h"
#include "serve/served.h"

namespace janus::serve {

struct DrawCall {
  DrawRequest request = {};
  std::shared_ptr<const EditRequest> edit = {};  // of `request`; none: drawn from nothing
  OrderedJson edited = {};                       // … for the recipe
  PictureForm form = {};
  bool stream = false;
  int partials = 0;
  bool previews = false;  // cheap looks at every row, for the page
  std::string quality = "auto";
  std::string background = "opaque";
  std::vector<std::string> ignored = {};
};

// Rows of the batch that a picture takes, at most: one more where it is guided, three of an edit by
// instruction.
inline int rows_of(const DrawCall& call) {
  if (call.edit && !call.edit->instruction.empty()) return 3;
  return call.request.guidance == 1.f ? 1 : 2;
}

// What every drawing may say beside its prompt; the prompt, which must not be blank. Throw Refusal.
void read_call(Fields& fields, const Served& served, DrawCall& call);
void read_prompt(Fields& fields, DrawCall& call);

// Throws Refusal.
DrawCall parse_generation(const Json& body, const Served& served);

// A finished picture as it is handed out.
struct Drawn {
  uint64_t seed = 0;
  std::string file = {};  // its bytes
  std::string url = {};   // empty: in base64
};

struct DrawUsage {
  int64_t text_tokens = 0;   // of the prompt
  int64_t image_tokens = 0;  // of pictures that went in
  int64_t drawn = 0;         // codes
};

OrderedJson usage_json(const DrawUsage& usage);
OrderedJson images_json(const DrawCall& call, const Served& served, int64_t created,
                        const std::vector<Drawn>& pictures, const DrawUsage& usage);

// --- streamed: the data of an event; `kind`: "image_generation" or "image_edit"
OrderedJson partial_json(const DrawCall& call, const Served& served, const std::string& kind,
                         int64_t created, const Partial& partial, const std::string& file);
OrderedJson completed_json(const DrawCall& call, const Served& served, const std::string& kind,
                           int64_t created, int index, const Drawn& picture,
                           const DrawUsage& usage);
// A small look at `rows` rows; an extension, only where `previews` asks.
OrderedJson preview_json(const Served& served, int index, uint64_t seed, int rows,
                         const std::string& file);

}  // namespace janus::serve
