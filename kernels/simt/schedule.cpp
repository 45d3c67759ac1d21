// schedule.cpp: orders of execution other than in order, each a policy that the seed chooses.
#include "simt/schedule.h"

#include <numeric>

namespace cria::simt {

bool g_in_order = true;
uint64_t g_random_state = 1;

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
int64_t g_block_step, g_block_first;
int g_elected;
int g_delayed;  // the slow warp

int highest(uint32_t lanes) { return 31 - __builtin_clz(lanes); }

// The first one at or after a random place: quick, and no lane or warp is always favoured.
int any_lane(uint32_t lanes) {
  int first = random_below(kLanes);
  uint32_t above = lanes & ~uint32_t{0} << first;
  return __builtin_ctz(above != 0 ? above : lanes);
}

// A warp that can run; not `avoid` if there is another.
Warp *any_warp(int avoid) {
  int first = random_below(g_block.warps);
  for (int i = 0; i < g_block.warps; i++) {
    int w = first + i < g_block.warps ? first + i : first + i - g_block.warps;
    if (g_block.warp[w].ready != 0 && w != avoid) return &g_block.warp[w];
  }
  return avoid >= 0 && g_block.warp[avoid].ready != 0 ? &g_block.warp[avoid] : nullptr;
}

}  // namespace

void seed_schedule(uint64_t seed) {
  g_elected = int(seed * 11 % kLanes);
  g_in_order = seed == 0;
  g_random_state = seed * 0xD1342543DE82EF95ull + 0x9E3779B97F4A7C15ull;
  g_policy = Policy(seed % kPolicies);
  g_delayed = 0;
}

// An affine map with a multiplier that is prime to the count visits every block once, in an order without pattern.
int64_t order_of_block(int64_t i, int64_t count) {
  if (g_in_order || count < 2) return i;
  if (g_policy == Policy::reverse) return count - 1 - i;
  if (i == 0) {
    g_block_step = int64_t(uint64_t(random_below(INT32_MAX)) % uint64_t(count)) | 1;
    while (std::gcd(g_block_step, count) != 1) g_block_step += 2;
    g_block_first = int64_t(uint64_t(random_below(INT32_MAX)) % uint64_t(count));
  }
  return int64_t((uint64_t(i) * uint64_t(g_block_step) + uint64_t(g_block_first)) %
                 uint64_t(count));
}

int elected_lane() { return g_elected; }

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
