/* What the shared library shows: all that is not marked so stays inside it. For C and C++.
 * SPDX-License-Identifier: MIT */
#pragma once

#ifdef __GNUC__
#define JANUSPRO_API __attribute__((visibility("default")))
#else
#define JANUSPRO_API
#endif
