// Pictures that a request names by an address on the web. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>

#include "serve/fields.h"

struct sockaddr;

namespace janus::serve {

// Whether an address is the internet's: none of this machine, of a private network, of a link, or
// of a block that is kept for documentation or other use (IANA's special-purpose registries).
bool is_public(const sockaddr& address);

struct FetchLimits {
  int64_t bytes = 32 << 20;  // of one picture
  double seconds = 10;       // for all of a request
  std::function<bool(const sockaddr& address)> allowed = is_public;
};

// The body with every `image_url` that begins with http:// or https:// as a data URL. At most three
// redirects, to such addresses too; proxies of the environment are not asked, as they would reach
// what we may not. Throws Refusal `remote_image_refused`, `invalid_image`, `image_too_large`,
// `too_many_images`.
Json with_fetched(Json body, const FetchLimits& limits = {});

}  // namespace janus::serve
