// counters.h: what a kernel asks of the memories and the matrix units, counted as the hardware would see it: by warp.
#pragma once

#include "simt/block.h"
#include "simt/emulator.h"

namespace cria::simt {

enum class Access : uint8_t { read_global, write_global, read_shared, write_shared };

// The counters of the running kernel, if machine.watch has kCounters.
extern Counters *g_counters;

void begin_launch_counters(const char *kernel, int threads, int shared_bytes);

// An access of the running lane, at an address or an offset. It becomes part of the warp's access when the warp converges.
void count_access(Access access, uint64_t at, int bytes, Site site);

// A read of device memory by the hardware on its own.
void count_range(uint64_t at, int64_t bytes);

// All lanes of the warp stand at the same place: closes the accesses that they made since they last did.
void converge(const Warp *warp);

inline bool counting() { return (machine.watch & kCounters) != 0; }

}  // namespace cria::simt
