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

struct Lesson {
  View *view;
  uint32_t lanes;  // who learned it
};
std::vector<Lesson> g_lessons[kMaxWarps];
std::vector<uint64_t> g_fences[kMaxThreads];

bool is_warp_view(const View *view) {
  return view >= g_warp_views && view < g_warp_views + kMaxWarps;
}

void use_warp_views(int warp) {
  for (int i = 0; i < kLanes; i++) {
    int thread = warp * kLanes + i;
    if (g_split[warp]) drop_view(g_clocks.view[thread]);
    g_clocks.view[thread] = &g_warp_views[warp];
  }
  g_split[warp] = false;
}

// Calls f for the ranges of `known` that are in use.
template <class F>
void for_ranges(F f) {
  f(0, g_block.threads);
  if (g_clocks.hardware) f(kFirstUnit, kMaxThreads);
}

void clear(View &view) {
  view.floor = 0;
  for_ranges([&](int first, int end) { std::fill(view.known + first, view.known + end, 0); });
}

void merge(View &into, const View &from) {
  into.floor = std::max(into.floor, from.floor);
  for_ranges([&](int first, int end) {
    for (int i = first; i < end; i++) into.known[i] = std::max(into.known[i], from.known[i]);
  });
}

void assign(View &to, const View &from) {
  to.floor = from.floor;
  for_ranges([&](int first, int end) {
    std::copy(from.known + first, from.known + end, to.known + first);
  });
}

void forget_lessons(int warp, uint32_t lanes) {
  auto &lessons = g_lessons[warp];
  for (size_t i = lessons.size(); i-- > 0;) {
    lessons[i].lanes &= ~lanes;
    if (lessons[i].lanes != 0) continue;
    drop_view(lessons[i].view);
    lessons.erase(lessons.begin() + ptrdiff_t(i));
    g_clocks.lessons--;
  }
}

void merge_lessons(View &into, int warp, uint32_t lanes) {
  for (const Lesson &lesson : g_lessons[warp])
    if ((lesson.lanes & lanes) != 0) merge(into, *lesson.view);
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
  c.hardware = false;
  c.lessons = 0;
  for (auto &lessons : g_lessons) lessons.clear();
  for (int i = 0; i < g_block.threads; i++) g_fences[i].clear();
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
  // The floor says nothing of what the hardware does on its own.
  if (c.hardware) {
    uint32_t everyone[kMaxWarps] = {};
    std::fill(everyone, everyone + g_block.warps, kAllLanes);
    join_lanes(everyone);
  }
  for (int w = 0; w < g_block.warps; w++) {
    if (g_split[w]) use_warp_views(w);
    g_warp_views[w].floor = c.now;
  }
  c.now++;
  std::fill(c.clock, c.clock + g_block.threads, c.now);
}

void join_lanes(const uint32_t (&lanes)[kMaxWarps]) {
  Clocks &c = g_clocks;
  clear(g_joined);
  const View *last = nullptr;
  for (int w = 0; w < g_block.warps; w++)
    for (uint32_t rest = lanes[w]; rest != 0; rest &= rest - 1) {
      int thread = w * kLanes + __builtin_ctz(rest);
      if (c.view[thread] != last) merge(g_joined, *c.view[thread]);
      last = c.view[thread];
    }
  for (int w = 0; c.lessons != 0 && w < g_block.warps; w++) {
    merge_lessons(g_joined, w, lanes[w]);
    forget_lessons(w, lanes[w]);
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
    assign(*view, g_joined);
    for (uint32_t rest = lanes[w]; rest != 0; rest &= rest - 1) {
      int thread = w * kLanes + __builtin_ctz(rest);
      if (lanes[w] != kAllLanes) drop_view(c.view[thread]);
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
  if (c.lessons != 0) {
    merge_lessons(g_warp_views[w], w, lanes);
    forget_lessons(w, lanes);
  }
  uint64_t *clocks = &c.clock[w * kLanes];
  std::copy(clocks, clocks + kLanes, &g_warp_views[w].known[w * kLanes]);
  std::fill(clocks, clocks + kLanes, ++c.now);
}

View *take_view() {
  if (g_free_views.empty()) {
    g_all_views.push_back(std::make_unique<View>());
    g_free_views.push_back(g_all_views.back().get());
  }
  View *view = g_free_views.back();
  g_free_views.pop_back();
  view->users = 1;
  clear(*view);
  return view;
}

void drop_view(View *view) {
  if (!is_warp_view(view) && --view->users == 0) g_free_views.push_back(view);
}

void tell(int thread, View &view) {
  Clocks &c = g_clocks;
  merge(view, *c.view[thread]);
  if (c.lessons != 0) merge_lessons(view, thread / kLanes, 1u << thread % kLanes);
  view.known[thread] = c.clock[thread];
  c.clock[thread] = ++c.now;
}

void learn(int thread, View *view) {
  int warp = thread / kLanes;
  uint32_t bit = 1u << thread % kLanes;
  auto &lessons = g_lessons[warp];
  for (size_t i = 0; i < lessons.size(); i++) {
    Lesson &lesson = lessons[i];
    if (lesson.view != view) continue;
    lesson.lanes |= bit;
    // What all lanes know is the warp's.
    if (lesson.lanes == kAllLanes && !g_split[warp]) {
      merge(g_warp_views[warp], *view);
      drop_view(view);
      lessons.erase(lessons.begin() + ptrdiff_t(i));
      g_clocks.lessons--;
    }
    return;
  }
  // A lane that waits alone gathers what it learns in one view of its own.
  for (Lesson &lesson : lessons) {
    if (lesson.lanes != bit) continue;
    if (lesson.view->users > 1) {
      View *own = take_view();
      assign(*own, *lesson.view);
      drop_view(lesson.view);
      lesson.view = own;
    }
    merge(*lesson.view, *view);
    return;
  }
  lessons.push_back({view, bit});
  view->users++;
  g_clocks.lessons++;
}

void know(int warp, int other, uint64_t clock) {
  for (int i = 0; i < kLanes; i++) {
    uint64_t &known = g_clocks.view[warp * kLanes + i]->known[other];
    known = std::max(known, clock);
  }
}

bool has_learned(int thread, int other, uint64_t clock) {
  for (const Lesson &lesson : g_lessons[thread / kLanes])
    if ((lesson.lanes >> thread % kLanes & 1) != 0 &&
        (clock <= lesson.view->floor || clock <= lesson.view->known[other]))
      return true;
  return false;
}

void fence_proxy(int thread) {
  g_fences[thread].push_back(g_clocks.clock[thread] = ++g_clocks.now);
}

uint64_t fence_after(int thread, uint64_t clock) {
  const auto &fences = g_fences[thread];
  auto after = std::upper_bound(fences.begin(), fences.end(), clock);
  return after != fences.end() ? *after : 0;
}

}  // namespace cria::simt
