// block.cpp: runs the threads of one block as fibers, in the order of the schedule, and its barriers.
//
// A thread runs until it must wait; then the next one is switched to directly. A thread that ends hands its stack to
// one that has not begun, so a block whose threads never wait runs on one stack without a switch.
#include "simt/block.h"

#include <cstdio>
#include <cstring>
#include <string>

#include "simt/clock.h"
#include "simt/counters.h"
#include "simt/fiber.h"
#include "simt/objects.h"
#include "simt/schedule.h"
#include "simt/warp.h"

namespace cria::simt {

Machine machine;
Block g_block;

namespace {

// The thread to run next, or null if all have ended.
Thread *next_thread(Thread *from) {
  Thread *next = pick_thread(from);
  while (next == nullptr && g_block.live != 0 && land_tile(false)) next = pick_thread(from);
  if (next != nullptr || g_block.live == 0) return next;
  report("deadlock: no thread can run:%s%s", who_waits_where(), awaited_objects());
}

// Whether the thread runs for the first time now.
bool begins(const Thread *thread) {
  uint32_t bit = 1u << thread->lane;
  if ((thread->warp->fresh & bit) == 0) return false;
  thread->warp->fresh &= ~bit;
  return true;
}

void release(Barrier &barrier, const Warp *last) {
  if (counting()) {
    g_counters->block_barriers++;
    converge(last);
  }
  for (int w = 0; w < g_block.warps; w++) {
    uint32_t lanes = barrier.waiting[w];
    if (lanes == 0) continue;
    barrier.waiting[w] = 0;
    if (counting()) converge(&g_block.warp[w]);
    g_block.warp[w].at_barrier &= ~lanes;
    g_block.warp[w].ready |= lanes;
  }
  barrier.arrived = 0;
  g_block.open_barriers &= ~(1u << (&barrier - g_block.barriers));
}

// Lanes of this warp that wait in a collective for a lane that now cannot come.
void check_not_awaited(const Warp *warp, uint32_t lane_bit, const char *goes) {
  if (warp->meeting == 0) return;
  for (const Meeting &meeting : warp->meetings)
    if (meeting.arrived != 0 && (meeting.mask & lane_bit) != 0)
      report("warp collective: lane %d %s while lanes 0x%08x wait for it in %s at %s:%d",
             __builtin_ctz(lane_bit), goes, meeting.arrived, name_of(meeting.operation),
             base_name(meeting.site.file), meeting.site.line);
}

void end_thread(Thread *self) {
  check_async_ended(self);
  uint32_t bit = 1u << self->lane;
  self->warp->live &= ~bit;
  self->warp->ready &= ~bit;
  g_block.live--;
  if (counting() && self->warp->live == 0) converge(self->warp);
  if (self->warp->live == 0) check_products_ended(self->warp);
  if (g_block.live == 0) {
    check_tiles_ended();
    check_groups();
  }
  check_not_awaited(self->warp, bit, "ends");
  for (uint32_t open = g_block.open_barriers; open != 0; open &= open - 1) {
    int id = __builtin_ctz(open);
    const Barrier &barrier = g_block.barriers[id];
    if (id == 0 || g_block.live < barrier.expected)
      report("exit before barrier: thread %d ends while %d of %d threads wait at barrier %d, %s:%d",
             self->index, barrier.arrived, barrier.expected, id, base_name(barrier.site.file),
             barrier.site.line);
  }
}

Next arrive(int id, int expected, Site site) {
  Thread *self = machine.thread;
  Warp *warp = self->warp;
  Barrier &barrier = g_block.barriers[id];
  uint32_t bit = 1u << self->lane;
  if (barrier.arrived == 0) {
    g_block.open_barriers |= 1u << id;
    barrier.expected = expected;
    barrier.site = site;
    if (id == 0 && g_block.live != g_block.threads)
      report(
          "exit before barrier: thread %d waits at %s:%d, but %d threads of the block have ended",
          self->index, base_name(site.file), site.line, g_block.threads - g_block.live);
  } else {
    if (barrier.expected != expected)
      report("named barrier %d: thread %d says %d threads at %s:%d, others say %d at %s:%d", id,
             self->index, expected, base_name(site.file), site.line, barrier.expected,
             base_name(barrier.site.file), barrier.site.line);
    // Roles of a block may meet at a named barrier from different places; lanes of a warp may not.
    uint32_t others = barrier.waiting[warp->number];
    Site known = id == 0       ? barrier.site
                 : others != 0 ? warp->threads[__builtin_ctz(others)].site
                               : site;
    if (!same_place(site, known))
      report("divergent barrier: thread %d waits at %s:%d, others at %s:%d", self->index,
             base_name(site.file), site.line, base_name(known.file), known.line);
  }
  if (++barrier.arrived == barrier.expected) {
    if (barrier.expected == g_block.threads) {
      join_block();
    } else {
      barrier.waiting[warp->number] |= bit;
      join_lanes(barrier.waiting);
      barrier.waiting[warp->number] &= ~bit;
    }
    release(barrier, warp);
    return yield_to_schedule();
  }
  check_not_awaited(warp, bit, "waits at a barrier");
  barrier.waiting[warp->number] |= bit;
  warp->at_barrier |= bit;
  warp->ready &= ~bit;
  self->site = site;
  return suspend();
}

void reset_block() {
  Block &block = g_block;
  if (block.open_barriers != 0) std::memset(block.barriers, 0, sizeof block.barriers);
  block.open_barriers = 0;
  block.live = block.threads;
  for (int w = 0; w < block.warps; w++) {
    Warp &warp = block.warp[w];
    warp.ready = warp.fresh = warp.live = kAllLanes;
    warp.meeting = warp.at_barrier = warp.at_object = 0;
    warp.number = w;
    warp.threads = &block.thread[w * kLanes];
    std::memset(warp.meetings, 0, sizeof warp.meetings);
  }
  for (int i = 0; i < block.threads; i++)
    block.thread[i] = {nullptr, &block.warp[i / kLanes], i, i % kLanes, nullptr, {nullptr, 0}};
}

}  // namespace

Next suspend_otherwise(Thread *self) {
  if (g_land_randomly) {
    int chance = random_below(8);
    if (chance < 2) land_some(self);
    if (chance == 2) land_tile(true);
  }
  Thread *next = next_thread(self);
  if (next == self) return {};
  if (begins(next)) prepare(next);
  machine.thread = next;
  return {next->stack_pointer, &self->stack_pointer};
}

void fiber_entry() {
  fiber_begins();
  for (;;) {
    (*g_block.body)();
    Thread *self = machine.thread;
    end_thread(self);
    Thread *next = next_thread(self);
    if (next != nullptr && begins(next)) {
      next->stack = self->stack;
      self->stack = nullptr;
      machine.thread = next;
      continue;
    }
    drop_stack(self->stack);
    self->stack = nullptr;
    machine.thread = next;
    void *unused;
    switch_to({next != nullptr ? next->stack_pointer : g_block.scheduler, &unused});
  }
}

bool run_block() {
  reset_block();
  begin_block_clocks();
  reset_async();
  reset_objects();
  reset_tiles();
  reset_products();
  Thread *first = pick_thread(&g_block.thread[0]);
  begins(first);
  prepare(first);
  machine.thread = first;
  switch_to({first->stack_pointer, &g_block.scheduler});
  machine.thread = nullptr;
  bool complete = g_block.live == 0;
  for (int i = 0; !complete && i < g_block.threads; i++)
    if (g_block.thread[i].stack != nullptr) drop_stack(g_block.thread[i].stack);
  return complete;
}

void abandon_block() {
  void *unused;
  g_block.live = -1;
  switch_to({g_block.scheduler, &unused});
  __builtin_unreachable();
}

Next arrive_at_block(Site site) {
  return skipped(site) ? Next{} : arrive(0, g_block.threads, site);
}

Next arrive_at_named(int id, int threads, Site site) {
  if (id < 1 || id >= kBarriers)
    report("named barrier: id %d at %s:%d is not in 1..%d", id, base_name(site.file), site.line,
           kBarriers - 1);
  if (threads <= 0 || threads % kLanes != 0 || threads > g_block.threads)
    report("named barrier %d: %d threads at %s:%d: must be a multiple of 32 within the block's %d",
           id, threads, base_name(site.file), site.line, g_block.threads);
  return skipped(site) ? Next{} : arrive(id, threads, site);
}

namespace {

std::string state_of(const Thread &thread) {
  const Warp &warp = *thread.warp;
  uint32_t bit = 1u << thread.lane;
  auto at = [](const char *what, Site site) {
    return what + (base_name(site.file) + (":" + std::to_string(site.line)));
  };
  if ((warp.live & bit) == 0) return "have ended";
  if ((warp.at_barrier & bit) != 0) return at("wait at a barrier at ", thread.site);
  if ((warp.at_object & bit) != 0) return at("wait for a barrier object at ", thread.site);
  for (const Meeting &meeting : warp.meetings)
    if ((meeting.arrived & bit) != 0) return at("wait in a collective at ", meeting.site);
  return "can run";
}

}  // namespace

// Kept here: a report leaves the stack for good, and with it whatever would have been destroyed.
const char *who_waits_where() {
  static std::string text;
  text.clear();
  int told = 0;
  for (int first = 0; first < g_block.threads && told < 12; told++) {
    std::string state = state_of(g_block.thread[first]);
    int end = first + 1;
    while (end < g_block.threads && state_of(g_block.thread[end]) == state) end++;
    text += " threads " + std::to_string(first) + "-" + std::to_string(end - 1) + " " + state + ";";
    first = end;
  }
  return text.c_str();
}

}  // namespace cria::simt
