// warp.cpp: collectives of a warp: lanes meet, the last to arrive does the operation for all.
#include "simt/warp.h"

#include "simt/clock.h"
#include "simt/counters.h"
#include "simt/schedule.h"

namespace cria::simt {

namespace {

int source_lane(Operation operation, int lane, int argument) {
  int source = lane;
  switch (operation) {
    case Operation::shuffle:
      return argument & (kLanes - 1);
    case Operation::shuffle_xor:
      source = lane ^ argument;
      break;
    case Operation::shuffle_down:
      source = lane + argument;
      break;
    default:
      source = lane - argument;
      break;
  }
  return source >= 0 && source < kLanes ? source : lane;
}

void exchange(Warp *warp, const Meeting &meeting) {
  for (uint32_t rest = meeting.mask; rest != 0; rest &= rest - 1) {
    int lane = __builtin_ctz(rest);
    int source = source_lane(meeting.operation, lane, warp->argument[lane]);
    if ((meeting.mask >> source & 1) == 0)
      report("%s at %s:%d: lane %d of warp %d reads lane %d, which is not in the mask 0x%08x",
             name_of(meeting.operation), base_name(meeting.site.file), meeting.site.line, lane,
             warp->number, source, meeting.mask);
    warp->result[lane] = warp->value[source];
  }
}

void vote(Warp *warp, const Meeting &meeting) {
  uint32_t set = 0;
  for (uint32_t rest = meeting.mask; rest != 0; rest &= rest - 1) {
    int lane = __builtin_ctz(rest);
    if (warp->value[lane] != 0) set |= 1u << lane;
  }
  uint64_t result = meeting.operation == Operation::ballot     ? set
                    : meeting.operation == Operation::vote_any ? set != 0
                                                               : set == meeting.mask;
  for (uint32_t rest = meeting.mask; rest != 0; rest &= rest - 1)
    warp->result[__builtin_ctz(rest)] = result;
}

void operate(Warp *warp, const Meeting &meeting) {
  switch (meeting.operation) {
    case Operation::shuffle:
    case Operation::shuffle_xor:
    case Operation::shuffle_down:
    case Operation::shuffle_up:
      exchange(warp, meeting);
      break;
    case Operation::vote_any:
    case Operation::vote_all:
    case Operation::ballot:
      vote(warp, meeting);
      break;
    case Operation::load_matrix:
      load_matrix(warp);
      break;
    case Operation::load_matrix_transposed:
      load_matrix_transposed(warp);
      break;
    case Operation::mma_16x8x16:
      multiply_16x8x16(warp);
      break;
    case Operation::mma_16x8x8:
      multiply_16x8x8(warp);
      break;
    case Operation::warp_sync:
      join_warp(warp, meeting.mask);
      break;
    case Operation::elect_one:
      for (int lane = 0; lane < kLanes; lane++) warp->result[lane] = lane == elected_lane();
      break;
    case Operation::wgmma:
    case Operation::wgmma_fence:
    case Operation::wgmma_commit:
    case Operation::wgmma_wait:
      operate_wgmma(warp, meeting);
      break;
  }
}

// Why this lane cannot join; never returns.
[[noreturn, gnu::noinline, gnu::cold]] void refuse(const Thread *self, const Meeting &meeting,
                                                   Operation operation, uint32_t mask, Site site) {
  const Warp *warp = self->warp;
  const char *name = name_of(operation), *file = base_name(site.file);
  if ((mask >> self->lane & 1) == 0)
    report("%s at %s:%d: lane %d of warp %d is not in its mask 0x%08x", name, file, site.line,
           self->lane, warp->number, mask);
  if ((mask & ~warp->live) != 0)
    report("%s at %s:%d: lanes 0x%08x of the mask 0x%08x have ended (warp %d, lane %d)", name, file,
           site.line, mask & ~warp->live, mask, warp->number, self->lane);
  if ((mask & warp->at_barrier) != 0) {
    const Thread &other = warp->threads[__builtin_ctz(mask & warp->at_barrier)];
    report("%s at %s:%d: lane %d of warp %d waits at a barrier, %s:%d", name, file, site.line,
           other.lane, warp->number, base_name(other.site.file), other.site.line);
  }
  uint32_t apart = warp->meeting & mask;
  if (meeting.arrived != 0) apart = meeting.arrived;
  const Thread &other = warp->threads[__builtin_ctz(apart)];
  const Meeting *theirs = &meeting;
  for (const Meeting &candidate : warp->meetings)
    if ((candidate.arrived >> other.lane & 1) != 0) theirs = &candidate;
  report(
      "divergent warp collective: lane %d of warp %d is in %s at %s:%d with mask 0x%08x, lane %d "
      "in "
      "%s at %s:%d with mask 0x%08x",
      self->lane, warp->number, name, file, site.line, mask, other.lane, name_of(theirs->operation),
      base_name(theirs->site.file), theirs->site.line, theirs->mask);
}

void count_meeting(const Warp *warp, const Meeting &meeting) {
  if (meeting.mask == warp->live) converge(warp);
  Counters &c = *g_counters;
  if (meeting.operation == Operation::warp_sync) c.warp_barriers++;
  if (meeting.operation == Operation::mma_16x8x16) c.mma_16x8x16++;
  if (meeting.operation == Operation::mma_16x8x8) c.mma_16x8x8++;
}

[[gnu::noinline]] Next complete(Warp *warp, Meeting &meeting) {
  operate(warp, meeting);
  if (counting()) count_meeting(warp, meeting);
  warp->meeting &= ~meeting.mask;
  warp->ready |= meeting.mask;
  meeting.arrived = 0;
  return yield_to_schedule();
}

[[gnu::noinline]] void begin(const Thread *self, Meeting &meeting, Operation operation,
                             uint32_t mask, Site site) {
  const Warp *warp = self->warp;
  if ((mask >> self->lane & 1) == 0 ||
      (mask & (~warp->live | warp->at_barrier | warp->meeting)) != 0)
    refuse(self, meeting, operation, mask, site);
  meeting.mask = mask;
  meeting.operation = operation;
  meeting.site = site;
}

}  // namespace

// Runs for every lane of every collective: what is rare stands in functions of its own.
Next arrive_in_warp(Operation operation, uint32_t mask, Site site) {
  Thread *self = machine.thread;
  Warp *warp = self->warp;
  uint32_t bit = 1u << self->lane;
  Meeting &meeting = warp->meetings[mask != 0 ? __builtin_ctz(mask) : 0];
  if (meeting.arrived == 0) {
    begin(self, meeting, operation, mask, site);
  } else if (meeting.mask != mask || (mask & bit) == 0 || meeting.operation != operation ||
             (warp->meeting & mask) != meeting.arrived || !same_place(meeting.site, site)) {
    refuse(self, meeting, operation, mask, site);
  }
  meeting.arrived |= bit;
  if (meeting.arrived == mask) return complete(warp, meeting);
  warp->meeting |= bit;
  warp->ready &= ~bit;
  return suspend();
}

Next arrive_in_warp_sync(uint32_t mask, Site site) {
  return skipped(site) ? Next{} : arrive_in_warp(Operation::warp_sync, mask, site);
}

const char *name_of(Operation operation) {
  switch (operation) {
    case Operation::shuffle:
      return "shuffle";
    case Operation::shuffle_xor:
      return "shuffle_xor";
    case Operation::shuffle_down:
      return "shuffle_down";
    case Operation::shuffle_up:
      return "shuffle_up";
    case Operation::vote_any:
      return "vote_any";
    case Operation::vote_all:
      return "vote_all";
    case Operation::ballot:
      return "ballot";
    case Operation::warp_sync:
      return "warp_sync";
    case Operation::load_matrix:
      return "load_matrix";
    case Operation::load_matrix_transposed:
      return "load_matrix_transposed";
    case Operation::mma_16x8x16:
      return "mma_16x8x16";
    case Operation::mma_16x8x8:
      return "mma_16x8x8";
    case Operation::wgmma:
      return "wgmma";
    case Operation::wgmma_fence:
      return "wgmma_fence";
    case Operation::wgmma_commit:
      return "wgmma_commit";
    case Operation::wgmma_wait:
      return "wgmma_wait";
    case Operation::elect_one:
      return "elect_one";
  }
  return "?";
}

}  // namespace cria::simt
