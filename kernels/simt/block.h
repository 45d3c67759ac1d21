// block.h: the running block and its scheduler.
#pragma once

#include <functional>

#include "simt/sites.h"

namespace cria::simt {

struct Barrier {
  int32_t expected, arrived;
  Site site;                    // of the first arrival
  uint32_t waiting[kMaxWarps];  // lanes by warp
};

struct Block {
  const std::function<void()> *body;
  int32_t threads, warps;
  int32_t live;            // threads that have not ended
  void *scheduler;         // stack pointer of the context that runs blocks
  uint32_t open_barriers;  // those that someone waits at
  Barrier barriers[kBarriers];
  Warp warp[kMaxWarps];
  Thread thread[kMaxThreads];
};

extern Block g_block;

// Runs all threads of the block whose coordinates stand in the machine. False if a report ended it.
bool run_block();

// Chooses who runs instead of the running thread, which has been marked as waiting or may go on later.
inline Next suspend();
// The same where the choice is not plain.
Next suspend_otherwise(Thread *self);

// What the threads of the block do, those that do the same together.
const char *who_waits_where();

const char *name_of(Operation operation);

// Ends the block: the scheduler goes on after run_block's switch. For report() only.
[[noreturn]] void abandon_block();

// What the block does at its two ends beside running threads.
void reset_async();
// Lands some of the thread's copies, at random.
void land_some(Thread *thread);
void check_async_ended(Thread *thread);

inline Next suspend() {
  Thread *self = machine.thread;
  // The next lane, if it can run and has begun. As a branch this is predicted, so that the switch waits for no arithmetic.
  const Warp *warp = self->warp;
  if (machine.in_order && self->lane != kLanes - 1 &&
      ((warp->ready & ~warp->fresh) >> self->lane & 2) != 0) {
    machine.thread = self + 1;
    return {self[1].stack_pointer, &self->stack_pointer};
  }
  return suspend_otherwise(self);
}

}  // namespace cria::simt
