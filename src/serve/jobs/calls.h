// Jobs in JSON: what is asked for -> NewJob, the request of an item -> what the engine is given,
// a kept job -> JSON. Nothing here waits or sends. SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/jobs/store.h"
#include "serve/openai_chat.h"
#include "serve/openai_images.h"

namespace janus::serve {

// One of the two.
struct JobWork {
  std::optional<DrawCall> draw = {};  // with its `edit` where it is one
  std::optional<ChatCall> ask = {};
};

// A request of this type: "draw", "edit", "ask". Throws Refusal with the path inside the request.
JobWork parse_work(const std::string& type, const Json& request, const Served& served);
// That of one item: one picture or answer, of the seed that was chosen at acceptance.
JobWork work_of(const Lease& lease, const Served& served);

struct JobCall {
  NewJob job = {};  // without id and owner
  std::vector<std::string> ignored = {};
};

// `key`: of the header Idempotency-Key. `check` of every request throws what the model refuses.
// Throws Refusal with the whole path.
JobCall parse_job(Json body, const std::string& key, const Served& served,
                  const std::function<void(const JobWork&)>& check);

// `under_way`: the parts that are done of items that are not over, added up.
OrderedJson job_json(const KeptJob& job, double under_way);

// The file that an answer becomes. The same for the same answer, whatever the engine remembered.
std::string answer_file(const ChatCall& call, const Answer& answer);

}  // namespace janus::serve
