// memory.h: emulated device memory and its shadow: for each byte, whether it may be touched and has been written.
#pragma once

#include <cstddef>
#include <cstring>

#include "simt/race.h"

namespace cria::simt {

// States of a byte. A byte may be read when its state is exactly kWritten.
enum ByteState : uint8_t {
  kOutside = 0,    // no live allocation
  kUnwritten = 1,  // allocated
  kWritten = 3,
  // In shared memory only:
  kPending = 7,  // an asynchronous copy may land at any time
  kObject = 13,  // part of a barrier object
};

// Whether the bits of `mask` in each of the states are those of `wanted`.
template <int BYTES>
[[gnu::always_inline]] inline bool all_states(const uint8_t *state, uint8_t mask, uint8_t wanted) {
  using Word = std::conditional_t<
      BYTES == 1, uint8_t,
      std::conditional_t<BYTES == 2, uint16_t, std::conditional_t<BYTES == 4, uint32_t, uint64_t>>>;
  constexpr uint64_t kEach = 0x0101010101010101u;
  Word found;
  std::memcpy(&found, state, sizeof found);
  bool same = (found & Word(kEach * mask)) == Word(kEach * wanted);
  if constexpr (BYTES == 16) {
    std::memcpy(&found, state + 8, sizeof found);
    same = same && (found & Word(kEach * mask)) == Word(kEach * wanted);
  }
  return same;
}

// All device memory lies in one range of addresses, so the shadow of an address is found by arithmetic.
struct Arena {
  uint8_t *base;
  uint8_t *state;
  size_t bytes;
  Cells cells;
};
extern Arena g_arena;

// Reserves the range; false where the system refuses.
bool open_arena();
// Memory that takes no room until it is touched, zero at first; null where the system refuses.
void *reserve(size_t bytes);

// Throws cria::Error if a byte of the range is not live.
void require_live(const void *address, int64_t bytes, const char *what);

// "byte 12 of the allocation of 64 bytes at 0x...": where an address lies.
const char *describe_address(const void *address);

// The source of an asynchronous copy: any number of bytes.
void read_async_source(const void *from, int bytes, Site site);

// The checks of a read of any bytes of device memory, without counting.
void check_global_range(const void *from, int64_t bytes, Site site);

// Barrier objects in shared memory: 8 bytes become one, are used as one, are free again.
void check_object_init(uint32_t offset, Site site);
void check_object_use(uint32_t offset, Site site);
void check_object_end(uint32_t offset, Site site);
// 16 bytes that a tile will be copied to, with this stamp, in the name of the running thread; `done`: it has.
void check_tile_write(uint32_t offset, Stamp stamp, Site site);
void tile_written(uint32_t offset, int bytes);
// 16 bytes that an asynchronous product reads. `checked` is the last write that was in order, zero at first.
void check_product_read(uint32_t offset, const Racer &me, Site site, uint64_t &checked);

// Makes the block's shared memory: not written, filled with NaN.
void reset_shared(int bytes);
extern uint8_t *g_shared_state;
// The checks of a write without its counting: for what asynchronous copies write.
template <int BYTES>
void check_write_shared(uint32_t offset, Site site);

}  // namespace cria::simt
