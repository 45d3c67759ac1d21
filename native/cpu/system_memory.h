// system_memory.h: memory from the operating system, as the CPU device takes it.
#pragma once

#include <cstdint>

namespace cria::cpu {

// From this size on blocks are mapped on their own, large ones in huge pages where the system has them:
// a heap would keep the holes that a training step leaves. Sanitized builds map nothing, so that every
// block keeps its guards.
#if defined(__SANITIZE_ADDRESS__)
constexpr int64_t kMapped = INT64_MAX;
constexpr int64_t kMost = int64_t{1} << 39;  // the sanitizer ends the program on absurd requests
#else
constexpr int64_t kMapped = 256 << 10;
constexpr int64_t kMost = int64_t{1} << 46;  // half of what a process can address
#endif

// The bytes that a mapped block of `bytes` occupies.
int64_t mapped_size(int64_t bytes);

// Aligned to 64 bytes; null where the system has none left.
void *system_allocate(int64_t bytes);

// data of system_allocate(bytes), or null.
void system_free(void *data, int64_t bytes);

// Gives the end of a mapped block back, so that it becomes a block of `bytes`.
void system_trim(void *data, int64_t old_bytes, int64_t bytes);

}  // namespace cria::cpu
