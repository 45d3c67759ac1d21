// race.cpp: the text of a race's report.
#include "simt/race.h"

#include <cstdio>

#include "simt/memory.h"

namespace cria::simt {

namespace {

// The clock of a cell's further readers, or zero if they are of an earlier block.
uint64_t clock_of_more(const Cell &cell) {
  constexpr uint64_t kHalf = uint64_t{1} << 32;
  uint64_t clock = g_clocks.now / kHalf * kHalf + (cell.more >> 32);
  if (clock > g_clocks.now) clock -= kHalf;
  return clock >= g_clocks.block_start ? clock : 0;
}

}  // namespace

void add_reader(Cell &cell, const Racer &me) {
  uint64_t clock = me.stamp >> kClockShift, before = clock_of_more(cell);
  uint32_t warps = before != 0 ? uint32_t(cell.more) : 0;
  if (before != 0 && before < clock) clock = before;
  cell.more = clock << 32 | warps | 1u << me.stamp % kMaxThreads / kLanes;
}

void check_more_readers(Space space, const Cell &cell, const Racer &me, uint64_t at) {
  uint64_t clock = clock_of_more(cell);
  if (clock <= me.view->floor) return;
  for (uint32_t rest = uint32_t(cell.more); rest != 0; rest &= rest - 1) {
    int warp = __builtin_ctz(rest);
    if (warp == int(me.stamp % kMaxThreads) / kLanes) continue;
    const uint64_t *known = &me.view->known[warp * kLanes];
    bool ordered_with = false;
    for (int i = 0; i < kLanes; i++)
      ordered_with |= known[i] >= clock || has_learned(int(me.thread), warp * kLanes + i, clock);
    // The place of that read is not kept; its warp is.
    Stamp reader = clock << kClockShift | (cell.read >> kSiteShift) % kMaxSites << kSiteShift |
                   uint64_t(warp * kLanes);
    if (!ordered_with) report_race(space, at, reader, false, me.stamp, true);
  }
}

bool fenced(Stamp write, const Racer &me) {
  int writer = int(write % kMaxThreads);
  uint64_t clock = write >> kClockShift;
  if (clock < g_clocks.block_start || clock >= kFuture) return true;
  uint64_t fence = fence_after(writer, clock);
  if (fence == 0) return false;
  return uint32_t(writer) == me.thread || fence <= me.view->floor ||
         fence <= me.view->known[writer] || has_learned(int(me.thread), writer, fence);
}

void report_race(Space space, uint64_t at, Stamp earlier, bool earlier_writes, Stamp later,
                 bool later_writes) {
  auto place = [](Stamp stamp) { return place_of(uint32_t(stamp >> kSiteShift) % kMaxSites); };
  auto thread = [](Stamp stamp, char(&text)[48]) {
    int number = int(stamp % kMaxThreads);
    bool hardware = (stamp >> kClockShift) >= kFuture;
    if (!hardware)
      std::snprintf(text, sizeof text, "thread %d", number);
    else if (number >= kFirstObject)
      std::snprintf(text, sizeof text, "a tile copy");
    else
      std::snprintf(text, sizeof text, "a product of warp %d", number - kFirstUnit);
    return text;
  };
  char later_thread[48], earlier_thread[48];
  uint64_t clock = earlier >> kClockShift;
  char other_block[64] = "";
  if (space == Space::global && clock < g_clocks.block_start)
    std::snprintf(other_block, sizeof other_block, " of block number %lld",
                  static_cast<long long>(block_at(clock)));
  char where[300];
  if (space == Space::shared)
    std::snprintf(where, sizeof where, "offset %llu", static_cast<unsigned long long>(at));
  else
    std::snprintf(where, sizeof where, "%s", describe_address(reinterpret_cast<void *>(at)));
  report(
      "race in %s memory%s: %s at %s by %s, %s at %s by %s%s before: nothing orders "
      "them: %s",
      space == Space::shared ? "shared" : "global", other_block[0] != 0 ? " between blocks" : "",
      later_writes ? "write" : "read", place(later), thread(later, later_thread),
      earlier_writes ? "write" : "read", place(earlier), thread(earlier, earlier_thread),
      other_block, where);
}

}  // namespace cria::simt
