// Structs that begin with their size: the program and the library may be of different ages, so each
// takes of the other's structs only what both know. SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "base/error.h"

namespace janus::c {

inline constexpr size_t kMostSize = 4096;  // of any struct; more is no size but what lay in memory

// For januspro_NAME_init().
template <class S>
void init_struct(S* given, size_t size, const S& defaults) {
  static_assert(std::is_trivially_copyable_v<S>);
  if (!given || size < sizeof(size_t) || size > kMostSize) return;  // refused where it is used
  std::memset(given, 0, size);
  std::memcpy(given, &defaults, std::min(size, sizeof(S)));
  given->size = size;
}

template <class S>
void check_struct(const S* given, const char* name) {
  check(given != nullptr, Code::bad_input, "januspro_", name, " is NULL");
  check(given->size >= sizeof(size_t) && given->size <= kMostSize, Code::bad_input, "januspro_",
        name, " has size ", given->size, "; januspro_", name, "_init() was not called on it");
}

// A struct from the program: fields that it does not know have their defaults; fields that the
// library does not know must be as januspro_NAME_init() left them, else it would do less than was
// asked.
template <class S>
S read_struct(const S* given, const char* name, const S& defaults) {
  check_struct(given, name);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  check(std::all_of(bytes + std::min(sizeof(S), given->size), bytes + given->size,
                    [](unsigned char byte) { return byte == 0; }),
        Code::not_supported, "januspro_", name,
        " sets a field that this version of the library does not know; install a newer one");
  S result = defaults;
  std::memcpy(&result, given, std::min(sizeof(S), given->size));
  result.size = sizeof(S);
  return result;
}

// A struct that the program made room for.
template <class S>
void write_struct(S* given, const char* name, S value) {
  check_struct(given, name);
  value.size = given->size;
  std::memcpy(given, &value, std::min(sizeof(S), given->size));
}

}  // namespace janus::c
