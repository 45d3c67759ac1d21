// machine.h: the state of the emulated multiprocessor that primitives and scheduler share: threads, warps, the block.
//
// Everything runs on the emulator's one thread, so this is one plain global object. A primitive may suspend its
// thread; what it reads from the machine after that must be read anew.
#pragma once

#include <cstdint>

#include "simt/site.h"
#include "simt/switch.h"

#define CRIA_SIMT_LOCAL __attribute__((visibility("hidden")))

namespace cria::simt {

constexpr int kLanes = 32;
constexpr int kMaxThreads = 1024;
constexpr int kMaxWarps = kMaxThreads / kLanes;
constexpr int kBarriers = 16;
constexpr uint32_t kAllLanes = 0xFFFFFFFFu;

struct Stack;
struct Warp;

enum class Operation : uint8_t {
  shuffle,
  shuffle_xor,
  shuffle_down,
  shuffle_up,
  vote_any,
  vote_all,
  ballot,
  warp_sync,
  load_matrix,
  load_matrix_transposed,
  mma_16x8x16,
  mma_16x8x8,
  wgmma,
  wgmma_fence,
  wgmma_commit,
  wgmma_wait,
  elect_one,
};

// A thread of the running block.
struct Thread {
  void *stack_pointer;  // while it is suspended
  Warp *warp;
  int32_t index, lane;
  Stack *stack;  // null before it starts and after it ends
  Site site;     // of the barrier it waits at
};

// Lanes that meet in one collective.
struct Meeting {
  uint32_t mask, arrived;
  Operation operation;
  Site site;
};

struct alignas(64) Warp {
  uint32_t ready;       // can run
  uint32_t fresh;       // have not begun
  uint32_t live;        // have not ended
  uint32_t meeting;     // wait in a collective
  uint32_t at_barrier;  // wait at a barrier
  uint32_t at_object;   // wait for a barrier object
  int32_t number;
  Thread *threads;           // its 32 threads
  Meeting meetings[kLanes];  // by the lowest lane of the mask
  // Operands and results of collectives. Each lane has its own slot, which is written when the lane arrives and,
  // as a result, when the last lane of the meeting has: a lane that runs ahead overwrites nothing that another reads.
  alignas(
      64) uint32_t a[4][kLanes];  // fragments; the pairs of one row of a matrix lie side by side
  uint16_t b[16][8];              // by rows k
  alignas(32) float c[2][kLanes][2];
  uint32_t rows[4 * kLanes], matrices[4 * kLanes];
  uint64_t value[kLanes], result[kLanes];
  int32_t argument[kLanes];
  float *sums
      [kLanes];  // of an asynchronous product, and its left operand, null if that is in shared memory
  const uint32_t *left[kLanes];
};

// What the accessors must do beyond moving the bytes.
enum Watch : uint32_t { kChecks = 1, kCounters = 2 };

struct Machine {
  Thread *thread;  // the running one
  uint32_t watch;
  bool sm_90a;    // the emulated GPU has the primitives of hopper.h
  bool in_order;  // nothing is left to chance: neither the schedule nor when copies land
  uint32_t shared_bytes;
  uint8_t *shared;  // the block's shared memory
  int32_t block[3], grid[3];
};

CRIA_SIMT_LOCAL extern Machine machine;

// Ends the launch with a report. In kernel threads and in the scheduler alike.
[[noreturn]] void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- What device.h calls

// Accesses of 1, 2, 4, 8 or 16 bytes, before the bytes move.
template <int BYTES>
void read_global(const void *address, Site site);
template <int BYTES>
void write_global(void *address, Site site);
template <int BYTES>
void atomic_global(void *address, Site site);
template <int BYTES>
void read_shared(uint32_t offset, Site site);
template <int BYTES>
void write_shared(uint32_t offset, Site site);

void copy_async(uint32_t to, const void *from, int bytes, int valid, Site site);
void copy_async_commit(Site site);
void copy_async_wait(int groups, Site site);

// Arrivals. The caller switches as they say; then all have arrived.
Next arrive_in_warp(Operation operation, uint32_t mask, Site site);
Next arrive_in_warp_sync(uint32_t mask, Site site);
Next arrive_at_block(Site site);
Next arrive_at_named(int id, int threads, Site site);

[[gnu::always_inline]] inline void wait(Next next) {
  if (next.to != nullptr) switch_to(next);
}
// A collective of the lanes in `mask`: the last to arrive has done the operation.
[[gnu::always_inline]] inline void meet(Operation operation, uint32_t mask, Site site) {
  wait(arrive_in_warp(operation, mask, site));
}

// Reads this lane's row for load_matrix into its slot.
void load_row(uint32_t offset, int matrices, Site site);

}  // namespace cria::simt
