// clock.cpp: vector clocks of the block's threads and how synchronisation joins them.
#include "simt/clock.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace cria::simt {

Clocks g_clocks;

namespace {

View g_warp_views[kMaxWarps];  // the view of a warp whose lanes have always met together
bool g_split[kMaxWarps];       // lanes of the warp have views of their own
View g_joined;

std::vector<std::unique_ptr<View>> g_all_views;
std::vector<View *> g_free_views;

struct BlockStart {
  uint64_t clock;
  int64_t number;
};
std::vector<BlockStart> g_block_starts;

View *take_view() {
  if (g_free_views.empty()) {
    g_all_views.push_back(std::make_unique<View>());
    return g_all_views.back().get();
  }
  View *view = g_free_views.back();
  g_free_views.pop_back();
  return view;
}

void leave_view(int thread) {
  View *view = g_clocks.view[thread];
  if (view >= g_warp_views && view < g_warp_views + kMaxWarps) return;
  if (--view->users == 0) g_free_views.push_back(view);
}

void use_warp_views(int warp) {
  for (int i = 0; i < kLanes; i++) {
    int thread = warp * kLanes + i;
    if (g_split[warp]) leave_view(thread);
    g_clocks.view[thread] = &g_warp_views[warp];
  }
  g_split[warp] = false;
}

void merge(View &into, const View &from, int threads) {
  into.floor = std::max(into.floor, from.floor);
  for (int i = 0; i < threads; i++) into.known[i] = std::max(into.known[i], from.known[i]);
}

void assign(View &to, const View &from, int threads) {
  to.floor = from.floor;
  std::copy(from.known, from.known + threads, to.known);
}

}  // namespace

void begin_launch_clocks() {
  g_clocks.launch_start = ++g_clocks.now;
  g_block_starts.clear();
}

void begin_block_clocks() {
  Clocks &c = g_clocks;
  c.block_start = ++c.now;
  int64_t number =
      machine.block[0] +
      int64_t(machine.grid[0]) * (machine.block[1] + int64_t(machine.grid[1]) * machine.block[2]);
  g_block_starts.push_back({c.block_start, number});
  for (int w = 0; w < g_block.warps; w++) {
    g_split[w] = false;
    use_warp_views(w);
    g_warp_views[w].floor = c.block_start - 1;
  }
  g_free_views.clear();
  for (const auto &view : g_all_views) g_free_views.push_back(view.get());
  std::fill(c.clock, c.clock + g_block.threads, c.now);
}

int64_t block_at(uint64_t clock) {
  auto after =
      std::upper_bound(g_block_starts.begin(), g_block_starts.end(), clock,
                       [](uint64_t c, const BlockStart &start) { return c < start.clock; });
  return after == g_block_starts.begin() ? -1 : std::prev(after)->number;
}

void join_block() {
  Clocks &c = g_clocks;
  for (int w = 0; w < g_block.warps; w++) {
    if (g_split[w]) use_warp_views(w);
    g_warp_views[w].floor = c.now;
  }
  c.now++;
  std::fill(c.clock, c.clock + g_block.threads, c.now);
}

void join_lanes(const uint32_t (&lanes)[kMaxWarps]) {
  Clocks &c = g_clocks;
  int threads = g_block.threads;
  g_joined.floor = 0;
  std::fill(g_joined.known, g_joined.known + threads, 0);
  const View *last = nullptr;
  for (int w = 0; w < g_block.warps; w++)
    for (uint32_t rest = lanes[w]; rest != 0; rest &= rest - 1) {
      int thread = w * kLanes + __builtin_ctz(rest);
      if (c.view[thread] != last) merge(g_joined, *c.view[thread], threads);
      last = c.view[thread];
    }
  for (int w = 0; w < g_block.warps; w++)
    for (uint32_t rest = lanes[w]; rest != 0; rest &= rest - 1) {
      int thread = w * kLanes + __builtin_ctz(rest);
      g_joined.known[thread] = c.clock[thread];
    }
  c.now++;
  for (int w = 0; w < g_block.warps; w++) {
    if (lanes[w] == 0) continue;
    View *view = &g_warp_views[w];
    if (lanes[w] == kAllLanes) {
      use_warp_views(w);
    } else {
      view = take_view();
      view->users = __builtin_popcount(lanes[w]);
      g_split[w] = true;
    }
    assign(*view, g_joined, threads);
    for (uint32_t rest = lanes[w]; rest != 0; rest &= rest - 1) {
      int thread = w * kLanes + __builtin_ctz(rest);
      if (lanes[w] != kAllLanes) leave_view(thread);
      c.view[thread] = view;
      c.clock[thread] = c.now;
    }
  }
}

void join_warp(const Warp *warp, uint32_t lanes) {
  int w = warp->number;
  if (lanes != kAllLanes || g_split[w]) {
    uint32_t masks[kMaxWarps] = {};
    masks[w] = lanes;
    join_lanes(masks);
    return;
  }
  Clocks &c = g_clocks;
  uint64_t *clocks = &c.clock[w * kLanes];
  std::copy(clocks, clocks + kLanes, &g_warp_views[w].known[w * kLanes]);
  std::fill(clocks, clocks + kLanes, ++c.now);
}

}  // namespace cria::simt
