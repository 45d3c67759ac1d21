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
  if (uint64_t(offset) + uint64_t(bytes) > machine.shared_bytes)
    report("shared memory: %s of %d bytes out of bounds at %s:%d: offset %u of %u", verb, bytes,
           file, site.line, offset, machine.shared_bytes);
  if (offset % uint32_t(bytes) != 0)
    report("shared memory: misaligned %s of %d bytes at %s:%d: offset %u", verb, bytes, file,
           site.line, offset);
  for (int i = 0; i < bytes; i++)
    if (g_shared_state[offset + uint32_t(i)] == kPending)
      report("asynchronous copy: %s of %d bytes that a copy may still write at %s:%d: offset %u",
             verb, bytes, file, site.line, offset);
  for (int i = 0; i < bytes; i++)
    if (g_shared_state[offset + uint32_t(i)] == kObject)
      report("shared memory: %s of %d bytes of a barrier object at %s:%d: offset %u", verb, bytes,
             file, site.line, offset);
  report("shared memory: %s of %d bytes that were never written at %s:%d: offset %u", verb, bytes,
         file, site.line, offset);
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
// Lines that tiles were copied to or that products read: their stamps lie in the future and would look new to the next
// block.
uint64_t g_hardware_lines[(kLargest / 16 + 63) / 64];
// The last read of each line by the products of each warp.
Stamp (*g_product_reads)[kMaxWarps];

void mark_hardware(uint32_t offset) {
  g_hardware_lines[offset / 1024] |= uint64_t{1} << offset / 16 % 64;
}
bool marked_hardware(uint32_t offset) {
  return (g_hardware_lines[offset / 1024] >> offset / 16 % 64 & 1) != 0;
}

void clear_hardware() {
  for (size_t i = 0; i < sizeof g_hardware_lines / 8; i++)
    for (; g_hardware_lines[i] != 0; g_hardware_lines[i] &= g_hardware_lines[i] - 1) {
      size_t line = i * 64 + size_t(__builtin_ctzll(g_hardware_lines[i]));
      g_cells.lines[line] = {};
      std::memset(g_product_reads[line], 0, sizeof g_product_reads[line]);
    }
}

// A write of this line must come after the products that read it.
void check_product_reads(uint32_t offset, const Racer &me) {
  if (!marked_hardware(offset)) return;
  for (int w = 0; w < g_block.warps; w++) {
    Stamp &read = g_product_reads[offset / 16][w];
    if (!ordered<Space::shared>(read, me))
      report_race(Space::shared, offset, read, false, me.stamp, true);
    read = 0;
  }
}

// Calls f for the cells that hold the last writes of a line.
template <class F>
void for_cells(uint32_t offset, F f) {
  const Cell &line = g_cells.lines[offset / 16];
  if (line.write != kSplit) return f(line);
  for (size_t word = offset / 4; word < offset / 4 + 4; word++) {
    if (g_cells.words[word].write != kSplit)
      f(g_cells.words[word]);
    else
      for (size_t i = 0; i < 4; i++) f(g_cells.bytes[word * 4 + i]);
  }
}

void check_fence(const Cell &cell, uint32_t offset, const Racer &me, Site site, const char *what) {
  if (fenced(cell.write, me)) return;
  report(
      "proxy fence: %s at %s:%d of bytes that thread %d stored at %s without a proxy_fence after "
      "it: offset %u",
      what, base_name(site.file), site.line, int(cell.write % kMaxThreads),
      place_of(uint32_t(cell.write >> kSiteShift) % kMaxSites), offset);
}

constexpr uint8_t kInFlight = kPending & ~kWritten;  // a bit of pending bytes and barrier objects

}  // namespace

void reset_shared(int bytes) {
  if (g_cells.lines == nullptr) {
    g_cells = new_cells();
    g_product_reads =
        static_cast<Stamp(*)[kMaxWarps]>(reserve((kLargest / 16 + 1) * sizeof g_product_reads[0]));
    if (g_product_reads == nullptr) report("no room for the shadow of shared memory");
  }
  clear_hardware();
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
    watch_races<Space::shared, false, BYTES>(g_cells, offset, 0, current_racer(site));
  }
  if (counting()) count_access(Access::read_shared, offset, BYTES, site);
}

template <int BYTES>
void check_write_shared(uint32_t offset, Site site) {
  if ((machine.watch & kChecks) != 0) {
    if (!within<BYTES>(offset) || !all_states<BYTES>(g_shared_state + offset, kInFlight, 0))
      bad_access(offset, BYTES, "write", site);
    std::memset(g_shared_state + offset, kWritten, BYTES);
    const Racer me = current_racer(site);
    if (g_clocks.hardware) check_product_reads(offset, me);
    watch_races<Space::shared, true, BYTES>(g_cells, offset, 0, me);
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

void check_object_init(uint32_t offset, Site site) {
  check_write_shared<8>(offset, site);
  std::memset(g_shared_state + offset, kObject, 8);
}

void check_object_use(uint32_t offset, Site site) {
  watch_races<Space::shared, false, 8>(g_cells, offset, 0, current_racer(site));
}

void check_object_end(uint32_t offset, Site site) {
  watch_races<Space::shared, true, 8>(g_cells, offset, 0, current_racer(site));
  std::memset(g_shared_state + offset, kUnwritten, 8);
}

void check_tile_write(uint32_t offset, Stamp stamp, Site site) {
  if (!within<16>(offset) || !all_states<16>(g_shared_state + offset, kInFlight, 0))
    bad_access(offset, 16, "copy of a tile to", site);
  const Racer me = current_racer(site);
  for_cells(offset,
            [&](const Cell &cell) { check_fence(cell, offset, me, site, "a copy of a tile"); });
  check_product_reads(offset, me);
  watch_races<Space::shared, true, 16>(g_cells, offset, 0, me);
  g_cells.lines[offset / 16].write = stamp;
  mark_hardware(offset);
  std::memset(g_shared_state + offset, kPending, 16);
}

void tile_written(uint32_t offset, int bytes) {
  std::memset(g_shared_state + offset, kWritten, size_t(bytes));
}

void check_product_read(uint32_t offset, const Racer &me, Site site, uint64_t &checked) {
  if (!within<16>(offset) || !all_states<16>(g_shared_state + offset, 0xFF, kWritten))
    bad_access(offset, 16, "wgmma reading", site);
  for_cells(offset, [&](const Cell &cell) {
    if (cell.write == checked) return;
    if (!ordered<Space::shared>(cell.write, me))
      report_race(Space::shared, offset, cell.write, true, me.stamp, false);
    check_fence(cell, offset, me, site, "wgmma");
    checked = cell.write;
  });
  mark_hardware(offset);
  g_product_reads[offset / 16][machine.thread->index / kLanes] = me.stamp;
}

}  // namespace cria::simt
