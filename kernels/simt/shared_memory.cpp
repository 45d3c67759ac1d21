// shared_memory.cpp: the block's shared memory and the checks of every access to it.
#include <cstring>

#include "simt/counters.h"
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

template <int BYTES>
bool within(uint32_t offset) {
  return uint64_t(offset) + BYTES <= machine.shared_bytes && offset % BYTES == 0;
}

// Cells of the largest region, never given back.
Cells new_cells() {
  auto part = [](size_t count) {
    auto *cells = static_cast<Cell *>(reserve(count * sizeof(Cell)));
    if (cells == nullptr) report("no room for the shadow of shared memory");
    return cells;
  };
  return {part(kLargest / 16 + 1), part(kLargest / 4 + 4), part(kLargest + 16)};
}
Cells g_cells;

}  // namespace

void reset_shared(int bytes) {
  if (g_cells.lines == nullptr) g_cells = new_cells();
  machine.shared = g_bytes + kRedZone;
  machine.shared_bytes = uint32_t(bytes);
  g_shared_state = g_states + kRedZone;
  std::memset(g_bytes, 0xFF, size_t(bytes) + 2 * kRedZone);
  std::memset(g_shared_state, kUnwritten, size_t(bytes));
}

template <int BYTES>
void read_shared(uint32_t offset, Site site) {
  if ((machine.watch & kChecks) != 0) {
    if (!within<BYTES>(offset) || !all_states<BYTES>(g_shared_state + offset, 0xFF, kWritten))
      bad_access(offset, BYTES, "read", site);
    watch_races<Space::shared, false, BYTES>(g_cells, offset, 0, site);
  }
  if (counting()) count_access(Access::read_shared, offset, BYTES, site);
}

template <int BYTES>
void check_write_shared(uint32_t offset, Site site) {
  if ((machine.watch & kChecks) != 0) {
    constexpr uint8_t kInFlight = kPending & ~kWritten;
    if (!within<BYTES>(offset) || !all_states<BYTES>(g_shared_state + offset, kInFlight, 0))
      bad_access(offset, BYTES, "write", site);
    std::memset(g_shared_state + offset, kWritten, BYTES);
    watch_races<Space::shared, true, BYTES>(g_cells, offset, 0, site);
  }
}

template <int BYTES>
void write_shared(uint32_t offset, Site site) {
  check_write_shared<BYTES>(offset, site);
  if (counting()) count_access(Access::write_shared, offset, BYTES, site);
}

template void read_shared<1>(uint32_t, Site);
template void read_shared<2>(uint32_t, Site);
template void read_shared<4>(uint32_t, Site);
template void read_shared<8>(uint32_t, Site);
template void read_shared<16>(uint32_t, Site);
template void write_shared<1>(uint32_t, Site);
template void write_shared<2>(uint32_t, Site);
template void write_shared<4>(uint32_t, Site);
template void write_shared<8>(uint32_t, Site);
template void write_shared<16>(uint32_t, Site);
template void check_write_shared<4>(uint32_t, Site);
template void check_write_shared<8>(uint32_t, Site);
template void check_write_shared<16>(uint32_t, Site);

void load_row(uint32_t offset, int matrices, Site site) {
  Thread *self = machine.thread;
  if (self->lane >= 8 * matrices) return;
  if (machine.watch) read_shared<16>(offset, site);
  std::memcpy(&self->warp->rows[4 * self->lane], machine.shared + offset, 16);
}

}  // namespace cria::simt
