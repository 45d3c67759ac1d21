// clock.h: what each thread of the block knows of the others' past: vector clocks, for the race detector.
//
// A thread's accesses carry its clock. Threads that synchronise learn each other's clocks and all they know, and go on
// with a new one. A barrier of the whole block makes everything so far known to all: one number, the floor, says that.
#pragma once

#include "simt/block.h"

namespace cria::simt {

// What the hardware does beside the threads is done by threads of its own here, numbered from the end: one for each barrier
// object, whose copies are known to those who waited at it, and one for each warp, whose products are known to those who
// waited for them. Their clocks lie in the future of all others, so that a barrier of the block does not make them known.
constexpr int kMaxObjects = 32;
constexpr int kFirstObject = kMaxThreads - kMaxObjects;
constexpr int kFirstUnit = kFirstObject - kMaxWarps;
constexpr uint64_t kFuture = uint64_t{1} << 37;

// What a group of lanes knows: everything with a clock up to the floor, and of thread i everything up to known[i].
struct View {
  uint64_t floor;
  int32_t users;  // who refer to it, if it is not the view of a whole warp
  uint64_t known[kMaxThreads];
};

struct Clocks {
  // The last clock given out; it never goes back, so that old accesses need no clearing.
  uint64_t now = 1;
  uint64_t launch_start, block_start;
  uint64_t clock[kMaxThreads];
  View *view[kMaxThreads];
  int lessons;    // views that lanes have learned beside their own
  bool hardware;  // the block has barrier objects or asynchronous products
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

// One thread tells what it knows and goes on with a new clock, another learns it later. Views are from a pool, empty.
View *take_view();
void drop_view(View *view);
void tell(int thread, View &view);
void learn(int thread, View *view);
// All lanes of the warp know what `other` did up to `clock`.
void know(int warp, int other, uint64_t clock);
// Whether a view that the thread learned says that it knows `other` at `clock`.
bool has_learned(int thread, int other, uint64_t clock);

// The running thread makes its writes to shared memory visible to asynchronous copies and products.
void fence_proxy(int thread);
// The thread's first such fence after `clock`, or 0.
uint64_t fence_after(int thread, uint64_t clock);

}  // namespace cria::simt
