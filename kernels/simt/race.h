// race.h: finds pairs of accesses to the same byte, one of them a write, that no synchronisation orders.
//
// Memory has a cell for each 16 bytes, 4 bytes and byte. Accesses of 16 bytes use the first alone; a smaller one splits a
// line into words, or a word into bytes, and a write of the whole joins it again: so most accesses look at one cell, and
// none is reported for its neighbour. A cell remembers the last write and the reads since: two threads that are not ordered
// with each other, and which further warps.
#pragma once

#include "simt/clock.h"

namespace cria::simt {

// An access: clock, place and thread. Zero is one long ago.
using Stamp = uint64_t;
constexpr int kSiteShift = 10, kClockShift = 26;
static_assert(kMaxThreads == 1 << kSiteShift && kMaxSites == 1 << (kClockShift - kSiteShift));

struct alignas(32) Cell {
  Stamp write;  // or kSplit: see the finer cells
  Stamp read, other_read;
  // Reads of further warps: the lower half of a clock that none of them precedes, and a bit for each warp.
  uint64_t more;
};
constexpr Stamp kSplit = ~Stamp{0};

struct Cells {
  Cell *lines, *words, *bytes;
};

enum class Space { shared, global };

struct Racer {
  Stamp stamp;
  const View *view;
  uint32_t
      thread;  // whose order counts: that of the stamp, but for what the hardware does in a thread's name
};

inline Stamp stamp_of(uint64_t clock, Site site, int thread) {
  return clock << kClockShift | uint64_t(site_id(site)) << kSiteShift | uint64_t(thread);
}

inline Racer current_racer(Site site) {
  int thread = machine.thread->index;
  return {stamp_of(g_clocks.clock[thread], site, thread), g_clocks.view[thread], uint32_t(thread)};
}

template <Space SPACE>
[[gnu::always_inline]] inline bool ordered(Stamp earlier, const Racer &me) {
  uint64_t clock = earlier >> kClockShift;
  // Blocks of one launch are never ordered. What was before the block's first access is, in shared memory.
  if (clock <= me.view->floor)
    return SPACE == Space::shared || clock < g_clocks.launch_start || clock >= g_clocks.block_start;
  uint32_t thread = uint32_t(earlier) % kMaxThreads;
  if (thread == me.thread || clock <= me.view->known[thread]) return true;
  return g_clocks.lessons != 0 && has_learned(int(me.thread), int(thread), clock);
}

// Whether a write to shared memory is visible to asynchronous copies and products in the name of `me`: written by such, or
// followed by a fence of the writer that is ordered before.
bool fenced(Stamp write, const Racer &me);

inline bool same_warp(Stamp a, Stamp b) { return (a ^ b) % kMaxThreads < kLanes; }

// Never returns. `at` is the offset in shared memory, or the address.
[[noreturn]] void report_race(Space space, uint64_t at, Stamp earlier, bool earlier_writes,
                              Stamp later, bool later_writes);

// Notes a read of a third warp; a later write asks whether all of them are ordered with it.
void add_reader(Cell &cell, const Racer &me);
void check_more_readers(Space space, const Cell &cell, const Racer &me, uint64_t at);

template <Space SPACE, bool WRITE>
[[gnu::always_inline]] inline void visit(Cell &cell, const Racer &me, uint64_t at) {
  if (!ordered<SPACE>(cell.write, me)) report_race(SPACE, at, cell.write, true, me.stamp, WRITE);
  if (WRITE) {
    if (!ordered<SPACE>(cell.read, me)) report_race(SPACE, at, cell.read, false, me.stamp, true);
    if (!ordered<SPACE>(cell.other_read, me))
      report_race(SPACE, at, cell.other_read, false, me.stamp, true);
    if (cell.more != 0) check_more_readers(SPACE, cell, me, at);
    cell = {me.stamp, 0, 0, 0};
    return;
  }
  if (ordered<SPACE>(cell.read, me)) {
    cell.read = me.stamp;
  } else if (ordered<SPACE>(cell.other_read, me)) {
    cell.other_read = me.stamp;
  } else if (!same_warp(cell.read, me.stamp) && !same_warp(cell.other_read, me.stamp)) {
    add_reader(cell, me);
  }
}

template <Space SPACE, bool WRITE>
[[gnu::noinline]] void visit_word(const Cells &cells, size_t word, bool whole, const Racer &me,
                                  uint64_t at, int first, int bytes) {
  Cell &cell = cells.words[word];
  if (whole && cell.write != kSplit) {
    visit<SPACE, WRITE>(cell, me, at);
    return;
  }
  Cell *finer = &cells.bytes[word * 4];
  if (cell.write != kSplit) {
    for (int i = 0; i < 4; i++) finer[i] = cell;
    cell.write = kSplit;
  }
  for (int i = first; i < first + bytes; i++)
    visit<SPACE, WRITE>(finer[i], me, at + uint64_t(i - first));
  if (WRITE && whole) cell = {me.stamp, 0, 0, 0};
}

// An access of 1, 2, 4, 8 or 16 aligned bytes at offset `at` from where the cells begin; `base` + at is what a report says.
template <Space SPACE, bool WRITE, int BYTES>
inline void watch_races(const Cells &cells, size_t at, uint64_t base, const Racer &me) {
  Cell &line = cells.lines[at / 16];
  if (BYTES == 16 && line.write != kSplit) {
    visit<SPACE, WRITE>(line, me, base + at);
    return;
  }
  if (line.write != kSplit) {
    for (size_t i = 0; i < 4; i++) cells.words[at / 16 * 4 + i] = line;
    line.write = kSplit;
  }
  if constexpr (BYTES == 4 || BYTES == 8) {
    // The usual case inline: words that nothing has split.
    Cell *word = &cells.words[at / 4];
    if (word[0].write != kSplit && (BYTES == 4 || word[1].write != kSplit)) {
      visit<SPACE, WRITE>(word[0], me, base + at);
      if (BYTES == 8) visit<SPACE, WRITE>(word[1], me, base + at + 4);
      return;
    }
  }
  if (BYTES < 4) {
    visit_word<SPACE, WRITE>(cells, at / 4, false, me, base + at, int(at % 4), BYTES);
    return;
  }
  for (size_t i = 0; i < BYTES / 4; i++)
    visit_word<SPACE, WRITE>(cells, at / 4 + i, true, me, base + at + 4 * i, 0, 4);
  if (WRITE && BYTES == 16) line = {me.stamp, 0, 0, 0};
}

}  // namespace cria::simt
