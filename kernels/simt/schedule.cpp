// schedule.cpp: orders of execution other than in order, each a policy that the seed chooses.
#include "simt/schedule.h"

#include <numeric>

namespace cria::simt {

bool g_in_order = true;

namespace {

enum class Policy {
  random,          // any thread that can run
  reverse,         // the last thread first
  warp_first,      // one warp as far as it gets, its lanes in random order
  shuffled_lanes,  // warps in order, lanes at random
  delayed_warp,    // as random, but one warp runs only when nothing else can
};
constexpr int kPolicies = 5;

Policy g_policy;
uint64_t g_state;
int64_t g_block_step, g_block_first;
int g_elected;
int g_delayed;  // the slow warp

// SplitMix64.
uint64_t next_random() {
  uint64_t z = (g_state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

int highest(uint32_t lanes) { return 31 - __builtin_clz(lanes); }

int any_lane(uint32_t lanes) {
  int skip = random_below(__builtin_popcount(lanes));
  while (skip-- > 0) lanes &= lanes - 1;
  return __builtin_ctz(lanes);
}

// A warp that can run, at random; not `avoid` if there is another.
Warp *any_warp(int avoid) {
  Warp *found = nullptr;
  int seen = 0;
  for (int w = 0; w < g_block.warps; w++) {
    Warp *warp = &g_block.warp[w];
    if (warp->ready == 0 || w == avoid) continue;
    if (random_below(++seen) == 0) found = warp;
  }
  if (found == nullptr && avoid >= 0 && g_block.warp[avoid].ready != 0)
    found = &g_block.warp[avoid];
  return found;
}

}  // namespace

void seed_schedule(uint64_t seed) {
  g_elected = int(seed * 11 % kLanes);
  g_in_order = seed == 0;
  g_state = seed * 0xD1342543DE82EF95ull + 1;
  g_policy = Policy(seed % kPolicies);
  g_delayed = 0;
}

// An affine map with a multiplier that is prime to the count visits every block once, in an order without pattern.
int64_t order_of_block(int64_t i, int64_t count) {
  if (g_in_order || count < 2) return i;
  if (g_policy == Policy::reverse) return count - 1 - i;
  if (i == 0) {
    g_block_step = int64_t(next_random() % uint64_t(count)) | 1;
    while (std::gcd(g_block_step, count) != 1) g_block_step += 2;
    g_block_first = int64_t(next_random() % uint64_t(count));
  }
  return int64_t((uint64_t(i) * uint64_t(g_block_step) + uint64_t(g_block_first)) %
                 uint64_t(count));
}

int elected_lane() { return g_elected; }

int random_below(int n) { return int((next_random() >> 32) * uint64_t(n) >> 32); }

Thread *pick_other(Thread *from) {
  switch (g_policy) {
    case Policy::reverse:
      for (int w = g_block.warps - 1; w >= 0; w--)
        if (uint32_t ready = g_block.warp[w].ready) return &g_block.warp[w].threads[highest(ready)];
      return nullptr;
    case Policy::warp_first:
      if (uint32_t ready = from->warp->ready) return &from->warp->threads[any_lane(ready)];
      break;
    case Policy::shuffled_lanes:
      for (int w = 0; w < g_block.warps; w++)
        if (uint32_t ready = g_block.warp[w].ready)
          return &g_block.warp[w].threads[any_lane(ready)];
      return nullptr;
    default:
      break;
  }
  // The slow warp changes from time to time.

  if (g_policy == Policy::delayed_warp && random_below(256) == 0)
    g_delayed = random_below(g_block.warps);
  int avoid = g_policy == Policy::delayed_warp && g_delayed < g_block.warps ? g_delayed : -1;
  Warp *warp = any_warp(avoid);
  return warp != nullptr ? &warp->threads[any_lane(warp->ready)] : nullptr;
}

}  // namespace cria::simt
