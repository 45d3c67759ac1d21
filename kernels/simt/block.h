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
  int32_t live;     // threads that have not ended
  void *scheduler;  // stack pointer of the context that runs blocks
  Barrier barriers[kBarriers];
  Warp warp[kMaxWarps];
  Thread thread[kMaxThreads];
};

extern Block g_block;

// Runs all threads of the block whose coordinates stand in the machine. False if a report ended it.
bool run_block();

// Leaves the running thread, which has been marked as waiting, and runs others until it is ready again.
void suspend();

// The place and state of threads that wait, one line each for the same place.
const char *who_waits_where();

const char *name_of(Operation operation);

// Ends the block: the scheduler goes on after run_block's switch. For report() only.
[[noreturn]] void abandon_block();

// What the block does at its two ends beside running threads.
void reset_async();
// Lands some of the thread's copies, at random.
void land_some(Thread *thread);
extern bool g_land_randomly;
void check_async_ended(Thread *thread);

}  // namespace cria::simt
