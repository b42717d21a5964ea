// Manual pages in the language of man(7), written from the description of the verbs: one for the
// program and one for each verb. SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "apps/description.h"

namespace janus {

// "januspro-trace-ask.1"
std::string manual_file(const VerbText& verb);
std::string manual_page(const VerbText& verb, const VerbText& program);

}  // namespace janus
