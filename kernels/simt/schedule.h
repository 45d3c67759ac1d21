// schedule.h: the order in which threads run.
#pragma once

#include "simt/block.h"

namespace cria::simt {

// Begins the schedule of a seed, anew for each launch.
void seed_schedule(uint64_t seed);

// The block that runs as number i of `count`.
int64_t order_of_block(int64_t i, int64_t count);

// From the schedule's own generator: 0 <= result < n.
extern uint64_t g_random_state;
inline int random_below(int n) {
  // Marsaglia's xorshift with a multiplication of the output (Vigna 2016).
  g_random_state ^= g_random_state >> 12;
  g_random_state ^= g_random_state << 25;
  g_random_state ^= g_random_state >> 27;
  return int((g_random_state * 0x2545F4914F6CDD1Dull >> 32) * uint64_t(n) >> 32);
}

// The lane that elect_one() chooses: hardware does not say which.
int elected_lane();

// A thread that can run, or null.
Thread *pick_other(Thread *from);

extern bool g_in_order;

// In order: the next lane of the same warp that can run, else the next such warp.
inline Thread *pick_thread(Thread *from) {
  if (!g_in_order) return pick_other(from);
  Warp *warp = from->warp;
  if (uint32_t ready = warp->ready) {
    uint32_t above = ready & (~uint32_t{0} << from->lane);
    return &warp->threads[__builtin_ctz(above != 0 ? above : ready)];
  }
  for (int i = 1; i < g_block.warps; i++) {
    int w = warp->number + i;
    if (w >= g_block.warps) w -= g_block.warps;
    if (uint32_t ready = g_block.warp[w].ready)
      return &g_block.warp[w].threads[__builtin_ctz(ready)];
  }
  return nullptr;
}

// Other schedules than in order may let another thread go first where this one could go on.
inline Next yield_to_schedule() { return g_in_order ? Next{} : suspend(); }

}  // namespace cria::simt
