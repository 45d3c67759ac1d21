// clock.h: what each thread of the block knows of the others' past: vector clocks, for the race detector.
//
// A thread's accesses carry its clock. Threads that synchronise learn each other's clocks and all they know, and go on
// with a new one. A barrier of the whole block makes everything so far known to all: one number, the floor, says that.
#pragma once

#include "simt/block.h"

namespace cria::simt {

// What a group of lanes knows: everything with a clock up to the floor, and of thread i everything up to known[i].
struct View {
  uint64_t floor;
  int32_t users;  // lanes, if it is not the view of a whole warp
  uint64_t known[kMaxThreads];
};

struct Clocks {
  uint64_t now =
      1;  // the last clock given out; it never goes back, so that old accesses need no clearing
  uint64_t launch_start, block_start;
  uint64_t clock[kMaxThreads];
  View *view[kMaxThreads];
};
extern Clocks g_clocks;

void begin_launch_clocks();
void begin_block_clocks();

// The block's number in its launch, of an access with this clock.
int64_t block_at(uint64_t clock);

// All threads of the block have met at a barrier.
void join_block();
// These lanes have met, by warp.
void join_lanes(const uint32_t (&lanes)[kMaxWarps]);
// These lanes of one warp have met.
void join_warp(const Warp *warp, uint32_t lanes);

}  // namespace cria::simt
