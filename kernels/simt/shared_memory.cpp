// shared_memory.cpp: the block's shared memory and the checks of every access to it.
#include <cstring>
#include <memory>

#include "simt/block.h"
#include "simt/memory.h"

namespace cria::simt {

uint8_t *g_shared_state;

namespace {

constexpr size_t kLargest = 227 << 10;
constexpr size_t kRedZone = 1024;  // keeps the region aligned to 1024 bytes, as on the device

alignas(1024) uint8_t g_bytes[kLargest + 2 * kRedZone];
alignas(1024) uint8_t g_states[kLargest + 2 * kRedZone];

[[noreturn, gnu::noinline, gnu::cold]] void bad_access(uint32_t offset, int bytes, const char *verb,
                                                       Site site) {
  const char *file = base_name(site.file);
  int thread = machine.thread->index;
  if (uint64_t(offset) + uint64_t(bytes) > machine.shared_bytes)
    report("shared memory: %s of %d bytes out of bounds at %s:%d: offset %u of %u, thread %d", verb,
           bytes, file, site.line, offset, machine.shared_bytes, thread);
  if (offset % uint32_t(bytes) != 0)
    report("shared memory: misaligned %s of %d bytes at %s:%d: offset %u, thread %d", verb, bytes,
           file, site.line, offset, thread);
  for (int i = 0; i < bytes; i++)
    if (g_shared_state[offset + uint32_t(i)] == kPending)
      report(
          "asynchronous copy: %s of %d bytes that a copy may still write at %s:%d: offset %u, "
          "thread %d",
          verb, bytes, file, site.line, offset, thread);
  report("shared memory: %s of %d bytes that were never written at %s:%d: offset %u, thread %d",
         verb, bytes, file, site.line, offset, thread);
}

inline bool within(uint32_t offset, int bytes) {
  return uint64_t(offset) + uint64_t(bytes) <= machine.shared_bytes &&
         offset % uint32_t(bytes) == 0;
}

}  // namespace

void reset_shared(int bytes) {
  machine.shared = g_bytes + kRedZone;
  machine.shared_bytes = uint32_t(bytes);
  g_shared_state = g_states + kRedZone;
  std::memset(g_bytes, 0xFF, size_t(bytes) + 2 * kRedZone);
  std::memset(g_shared_state, kUnwritten, size_t(bytes));
}

void read_shared(uint32_t offset, int bytes, Site site) {
  if ((machine.watch & kChecks) == 0) return;
  if (!within(offset, bytes) || !all_states(g_shared_state + offset, bytes, kWritten))
    bad_access(offset, bytes, "read", site);
}

void write_shared(uint32_t offset, int bytes, Site site) {
  if ((machine.watch & kChecks) == 0) return;
  if (!within(offset, bytes)) bad_access(offset, bytes, "write", site);
  for (int i = 0; i < bytes; i++)
    if (g_shared_state[offset + uint32_t(i)] == kPending) bad_access(offset, bytes, "write", site);
  std::memset(g_shared_state + offset, kWritten, size_t(bytes));
}

void load_row(uint32_t offset, int matrices, Site site) {
  Thread *self = machine.thread;
  if (self->lane >= 8 * matrices) return;
  if (machine.watch) read_shared(offset, 16, site);
  std::memcpy(&self->warp->rows[4 * self->lane], machine.shared + offset, 16);
}

}  // namespace cria::simt
