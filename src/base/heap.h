// How the process keeps its memory.
// SPDX-License-Identifier: MIT
#pragma once

namespace janus {

// What is freed stays with the process from now on, where the C library can be told so. For a
// program that asks for the same again and again: pages that are new to a process cost time. To be
// called at its beginning.
void keep_freed_memory();

}  // namespace janus
