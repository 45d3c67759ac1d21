// memory.h: emulated device memory and its shadow: for each byte, whether it may be touched and has been written.
#pragma once

#include <cstddef>

#include "simt/machine.h"

namespace cria::simt {

// States of a byte. A byte may be read when its state is exactly kWritten.
enum ByteState : uint8_t {
  kOutside = 0,    // no live allocation
  kUnwritten = 1,  // allocated
  kWritten = 3,
  kPending = 7,  // an asynchronous copy may land at any time (shared memory only)
};

// All device memory lies in one range of addresses, so the shadow of an address is found by arithmetic.
struct Arena {
  uint8_t *base;
  uint8_t *state;
  size_t bytes;
};
extern Arena g_arena;

inline bool all_states(const uint8_t *state, int bytes, uint8_t wanted) {
  for (int i = 0; i < bytes; i++)
    if (state[i] != wanted) return false;
  return true;
}

// Reserves the range; false where the system refuses.
bool open_arena();

// What a device range is used for; throws cria::Error if a byte of it is not live.
void require_live(const void *address, int64_t bytes, const char *what);

// "byte 12 of the allocation of 64 bytes at 0x...": where an address lies.
const char *describe_address(const void *address);

// Makes the block's shared memory: not written, filled with NaN.
void reset_shared(int bytes);
extern uint8_t *g_shared_state;

// The source of an asynchronous copy: any number of bytes.
void read_async_source(const void *from, int bytes, Site site);

}  // namespace cria::simt
