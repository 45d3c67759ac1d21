// objects.cpp: barrier objects in shared memory (mbarrier): arrivals, bytes, phases, and who waits for them.
#include "simt/objects.h"

#include <cstring>
#include <string>

#include "simt/counters.h"
#include "simt/memory.h"
#include "simt/schedule.h"

namespace cria::simt {

namespace {

Object g_objects[kMaxObjects];
int g_count = 0;

bool checking() { return (machine.watch & kChecks) != 0; }

Object *find(uint32_t offset) {
  for (int i = 0; i < g_count; i++)
    if (g_objects[i].valid && g_objects[i].offset == offset) return &g_objects[i];
  return nullptr;
}

void end_phase(Object &object) {
  object.phase++;
  object.pending = object.arrivals;
  if (checking()) {
    drop_view(object.ended);
    object.ended = object.arriving;
    object.arriving = take_view();
  }
  for (int w = 0; w < g_block.warps; w++) {
    uint32_t lanes = object.waiting[w];
    object.waiting[w] = 0;
    g_block.warp[w].at_object &= ~lanes;
    g_block.warp[w].ready |= lanes;
    for (; checking() && lanes != 0; lanes &= lanes - 1)
      learn(w * kLanes + __builtin_ctz(lanes), object.ended);
  }
}

void end_phase_if_complete(Object &object) {
  if (object.pending != 0 || object.bytes > 0) return;
  if (object.bytes < 0)
    report(
        "barrier object: %lld bytes more were copied than announced in phase %llu of the object at "
        "offset %u",
        static_cast<long long>(-object.bytes), static_cast<unsigned long long>(object.phase),
        object.offset);
  end_phase(object);
}

}  // namespace

void require_sm_90a(const char *what, Site site) {
  if (!machine.sm_90a)
    report("%s at %s:%d: only sm_90a has it", what, base_name(site.file), site.line);
}

void init_object(uint32_t offset, int arrivals, Site site) {
  require_sm_90a("barrier object", site);
  if (arrivals < 1 || arrivals >= 1 << 20)
    report("barrier object: %d arrivals at %s:%d", arrivals, base_name(site.file), site.line);
  if (offset % 8 != 0 || offset + 8 > machine.shared_bytes)
    report("barrier object: offset %u at %s:%d is not a multiple of 8 within %u", offset,
           base_name(site.file), site.line, machine.shared_bytes);
  if (checking()) check_object_init(offset, site);
  if (find(offset) != nullptr)
    report("barrier object: the one at offset %u is made again at %s:%d", offset,
           base_name(site.file), site.line);
  int slot = 0;
  while (slot < g_count && g_objects[slot].valid) slot++;
  if (slot == kMaxObjects) report("more than %d barrier objects in a block", kMaxObjects);
  if (slot == g_count) g_count++;
  if (g_block.threads > kFirstUnit)
    report("blocks of more than %d threads cannot have barrier objects here", kFirstUnit);
  g_clocks.hardware = true;
  Object &object = g_objects[slot];
  object = {};
  object.offset = offset;
  object.arrivals = object.pending = arrivals;
  object.valid = true;
  if (!checking()) return;
  int thread = machine.thread->index;
  object.init = stamp_of(g_clocks.clock[thread], site, thread);
  object.arriving = take_view();
  object.ended = take_view();
}

Object &object_at(uint32_t offset, Site site) {
  Object *object = find(offset);
  if (object == nullptr)
    report("barrier object: there is none at offset %u, used at %s:%d by thread %d", offset,
           base_name(site.file), site.line, machine.thread->index);
  if (checking()) check_object_use(offset, site);
  return *object;
}

void invalidate_object(uint32_t offset, Site site) {
  Object &object = object_at(offset, site);
  for (uint32_t lanes : object.waiting)
    if (lanes != 0)
      report("barrier object: the one at offset %u ends at %s:%d while threads wait for it", offset,
             base_name(site.file), site.line);
  if (checking()) {
    check_object_end(offset, site);
    drop_view(object.arriving);
    drop_view(object.ended);
  }
  object.valid = false;
}

void arrive_at_object(uint32_t offset, int bytes, Site site) {
  if (skipped(site)) return;
  Object &object = object_at(offset, site);
  if (object.pending == 0)
    report(
        "barrier object: thread %d arrives at %s:%d, but phase %llu of the object at offset %u has "
        "all its %d arrivals and lacks %lld bytes",
        machine.thread->index, base_name(site.file), site.line,
        static_cast<unsigned long long>(object.phase), offset, object.arrivals,
        static_cast<long long>(object.bytes));
  if (checking()) tell(machine.thread->index, *object.arriving);
  object.pending--;
  object.bytes += bytes;
  end_phase_if_complete(object);
}

Next wait_for_object(uint32_t offset, int parity, Site site) {
  if (skipped(site)) return {};
  Object &object = object_at(offset, site);
  Thread *self = machine.thread;
  if (int(object.phase & 1) != (parity & 1)) {
    if (checking()) learn(self->index, object.ended);
    return yield_to_schedule();
  }
  uint32_t bit = 1u << self->lane;
  object.waiting[self->warp->number] |= bit;
  self->warp->at_object |= bit;
  self->warp->ready &= ~bit;
  self->site = site;
  return suspend();
}

void proxy_fence(Site site) {
  if (!skipped(site) && checking()) fence_proxy(machine.thread->index);
}

void complete_bytes(Object &object, int64_t bytes, uint64_t clock) {
  object.bytes -= bytes;
  if (checking()) {
    uint64_t &known = object.arriving->known[kFirstObject + number_of(object)];
    if (known < clock) known = clock;
  }
  end_phase_if_complete(object);
}

int number_of(const Object &object) { return int(&object - g_objects); }

const char *awaited_objects() {
  static std::string text;
  text.clear();
  for (int i = 0; i < g_count; i++) {
    const Object &object = g_objects[i];
    bool awaited = false;
    for (uint32_t lanes : object.waiting) awaited |= lanes != 0;
    if (!object.valid || !awaited) continue;
    char line[160];
    std::snprintf(line, sizeof line,
                  " barrier object at %u: phase %llu lacks %d of %d arrivals, %lld bytes;",
                  object.offset, static_cast<unsigned long long>(object.phase), object.pending,
                  object.arrivals, static_cast<long long>(object.bytes));
    text += line;
  }
  return text.c_str();
}

void reset_objects() { g_count = 0; }

}  // namespace cria::simt
