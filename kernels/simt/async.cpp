// async.cpp: asynchronous copies: a queue per thread, and the moment at which their bytes land.
//
// lazy: at the wait that asks for them; eager: at once; random: somewhere between. In every mode the destination may not
// be touched between issue and wait.
#include <cstring>
#include <vector>

#include "simt/counters.h"
#include "simt/memory.h"
#include "simt/schedule.h"
#include "simt/warp.h"

namespace cria::simt {

bool g_land_at_once = false, g_land_randomly = false;

namespace {

struct Copy {
  uint32_t to;
  int8_t bytes, valid;
  bool landed;
  const void *from;
  int64_t group;
  Site site;
};

struct Queue {
  std::vector<Copy> copies;  // issued and not waited for
  int64_t committed = 0;     // groups
};

Queue g_queues[kMaxThreads];

void check_write(uint32_t to, int bytes, Site site) {
  if (bytes == 16)
    check_write_shared<16>(to, site);
  else if (bytes == 8)
    check_write_shared<8>(to, site);
  else
    check_write_shared<4>(to, site);
}

void land(Copy &copy) {
  if (copy.landed) return;
  copy.landed = true;
  std::memcpy(machine.shared + copy.to, copy.from, size_t(copy.valid));
  std::memset(machine.shared + copy.to + copy.valid, 0, size_t(copy.bytes - copy.valid));
}

}  // namespace

void choose_async(AsyncMode mode) {
  g_land_at_once = mode == AsyncMode::eager;
  g_land_randomly = mode == AsyncMode::random;
}

void reset_async() {
  for (int i = 0; i < g_block.threads; i++) {
    g_queues[i].copies.clear();
    g_queues[i].committed = 0;
  }
}

void check_async_ended(Thread *thread) {
  const Queue &queue = g_queues[thread->index];
  if (queue.copies.empty()) return;
  const Copy &copy = queue.copies.front();
  report("asynchronous copy: thread %d ends with %zu copies %s, the first of %s:%d", thread->index,
         queue.copies.size(), copy.group < queue.committed ? "not waited for" : "not committed",
         base_name(copy.site.file), copy.site.line);
}

void copy_async(uint32_t to, const void *from, int bytes, int valid, Site site) {
  Queue &queue = g_queues[machine.thread->index];
  if (valid < 0 || valid > bytes)
    report("asynchronous copy: %d valid bytes of %d at %s:%d", valid, bytes, base_name(site.file),
           site.line);
  if (reinterpret_cast<uintptr_t>(from) % uintptr_t(bytes) != 0)
    report("asynchronous copy: misaligned source of %d bytes at %s:%d: %p", bytes,
           base_name(site.file), site.line, from);
  if (machine.watch != 0) read_async_source(from, valid, site);
  if (counting()) {
    count_access(Access::write_shared, to, bytes, site);
    g_counters->async_copies++;
  }
  if (machine.watch & kChecks) {
    check_write(to, bytes, site);
    std::memset(g_shared_state + to, kPending, size_t(bytes));
  }
  Copy copy{to, int8_t(bytes), int8_t(valid), false, from, queue.committed, site};
  if (g_land_at_once)
    land(copy);
  else
    std::memset(machine.shared + to, 0xFF, size_t(bytes));
  queue.copies.push_back(copy);
}

void copy_async_commit(Site) { g_queues[machine.thread->index].committed++; }

void copy_async_wait(int groups, Site site) {
  if (skipped(site)) return;
  Queue &queue = g_queues[machine.thread->index];
  size_t done = 0;
  for (Copy &copy : queue.copies) {
    if (copy.group >= queue.committed - groups) break;
    land(copy);
    if (machine.watch & kChecks) {
      // A write by this thread now: others may read it once they are ordered after the wait.
      std::memset(g_shared_state + copy.to, kWritten, size_t(copy.bytes));
      check_write(copy.to, copy.bytes, copy.site);
    }
    done++;
  }
  queue.copies.erase(queue.copies.begin(), queue.copies.begin() + ptrdiff_t(done));
}

void land_some(Thread *thread) {
  for (Copy &copy : g_queues[thread->index].copies)
    if (random_below(2) == 0) land(copy);
}

}  // namespace cria::simt
