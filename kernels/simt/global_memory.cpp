// global_memory.cpp: emulated device memory: allocation, transfers, and the checks of every access.
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>

#include "abi/error.h"
#include "simt/counters.h"
#include "simt/emulator.h"
#include "simt/memory.h"

namespace cria::simt {

Arena g_arena;

namespace {

constexpr size_t kAlign = 256;
constexpr size_t kRedZone = 256;
constexpr size_t kPage = 4096;

std::recursive_mutex g_mutex;
std::map<uint8_t *, size_t> g_live;   // allocations by address: bytes
std::map<uint8_t *, size_t> g_freed;  // for reports: where released memory lay
uint8_t *g_next;  // released addresses are not used again before the range has been used up

size_t shadow_index(const void *address) {
  return size_t(static_cast<const uint8_t *>(address) - g_arena.base);
}

// The first gap of `span` bytes at or after `from`, or null.
uint8_t *find_gap(uint8_t *from, size_t span) {
  uint8_t *end = g_arena.base + g_arena.bytes;
  uint8_t *at = from;
  auto next = g_live.lower_bound(from);
  if (next != g_live.begin()) {
    auto before = std::prev(next);
    uint8_t *used = before->first + (before->second + kAlign - 1) / kAlign * kAlign + kRedZone;
    if (used > at) at = used;
  }
  for (; next != g_live.end(); ++next) {
    if (at + span + kRedZone <= next->first) return at;
    at = next->first + (next->second + kAlign - 1) / kAlign * kAlign + kRedZone;
  }
  return at + span + kRedZone <= end ? at : nullptr;
}

// Gives the pages that lie wholly in a range back to the system; they read as zero afterwards.
void discard(void *from, size_t bytes) {
  auto first = (reinterpret_cast<uintptr_t>(from) + kPage - 1) / kPage * kPage;
  auto last = (reinterpret_cast<uintptr_t>(from) + bytes) / kPage * kPage;
  if (first < last) madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
}

[[noreturn, gnu::noinline, gnu::cold]] void bad_access(const void *address, int bytes,
                                                       const char *verb, Site site) {
  const char *file = base_name(site.file);
  size_t at = shadow_index(address);
  auto value = reinterpret_cast<uintptr_t>(address);
  if (at >= g_arena.bytes)
    report("global memory: %s of %d bytes at %s:%d: %p is no device address", verb, bytes, file,
           site.line, address);
  if (value % uintptr_t(bytes) != 0)
    report("global memory: misaligned %s of %d bytes at %s:%d: %s", verb, bytes, file, site.line,
           describe_address(address));
  for (int i = 0; i < bytes; i++)
    if (g_arena.state[at + size_t(i)] == kOutside)
      report("global memory: %s of %d bytes out of bounds at %s:%d: %s", verb, bytes, file,
             site.line, describe_address(address));
  report("global memory: %s of %d bytes that were never written at %s:%d: %s", verb, bytes, file,
         site.line, describe_address(address));
}

}  // namespace

void *reserve(size_t bytes) {
  void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

bool open_arena() {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  if (g_arena.base != nullptr) return true;
  // Memory, state, and cells for lines, words and bytes.
  constexpr size_t kShares[] = {16, 16, sizeof(Cell), 4 * sizeof(Cell), 16 * sizeof(Cell)};
  for (size_t bytes = size_t{64} << 30; bytes >= size_t{1} << 30; bytes /= 4) {
    void *parts[5];
    int count = 0;
    while (count < 5 && (parts[count] = reserve(bytes / 16 * kShares[count])) != nullptr) count++;
    if (count == 5) {
      auto cells = [&](int i) { return static_cast<Cell *>(parts[i]); };
      auto *base = static_cast<uint8_t *>(parts[0]);
      g_next = base + kRedZone;
      g_arena = {base, static_cast<uint8_t *>(parts[1]), bytes, {cells(2), cells(3), cells(4)}};
      return true;
    }
    while (count-- > 0) munmap(parts[count], bytes / 16 * kShares[count]);
  }
  return false;
}

void *allocate(int64_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  if (bytes < 0 || !open_arena()) return nullptr;
  size_t span = size_t(bytes > 0 ? bytes : 1);
  if (span > g_arena.bytes / 2) return nullptr;
  uint8_t *at = find_gap(g_next, span);
  if (at == nullptr) at = find_gap(g_arena.base + kRedZone, span);
  if (at == nullptr) return nullptr;
  g_next = at + (span + kAlign - 1) / kAlign * kAlign + kRedZone;
  g_live[at] = size_t(bytes);
  g_freed.erase(at);
  forget(at, bytes);
  return at;
}

void release(void *address) {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  if (address == nullptr) return;
  auto found = g_live.find(static_cast<uint8_t *>(address));
  if (found == g_live.end())
    fail(CRIA_DEVICE_ERROR, "simt: release: %p is no live allocation", address);
  uint8_t *at = found->first;
  size_t bytes = found->second;
  g_live.erase(found);
  g_freed[at] = bytes;
  if (g_freed.size() > 4096) g_freed.erase(g_freed.begin());
  std::memset(g_arena.state + shadow_index(at), kOutside, bytes);
  discard(at, bytes);
  size_t index = shadow_index(at);
  discard(g_arena.state + index, bytes);
  discard(g_arena.cells.lines + index / 16, bytes / 16 * sizeof(Cell));
  discard(g_arena.cells.words + index / 4, bytes / 4 * sizeof(Cell));
  discard(g_arena.cells.bytes + index, bytes * sizeof(Cell));
}

void forget(void *address, int64_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  require_live(address, bytes, "forget");
  std::memset(g_arena.state + shadow_index(address), kUnwritten, size_t(bytes));
  std::memset(address, 0xFF, size_t(bytes));  // a NaN in every floating-point type
}

void require_live(const void *address, int64_t bytes, const char *what) {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  if (bytes == 0) return;
  auto at = const_cast<uint8_t *>(static_cast<const uint8_t *>(address));
  auto after = g_live.upper_bound(at);
  if (bytes > 0 && after != g_live.begin()) {
    auto [base, size] = *std::prev(after);
    if (size_t(at - base) + size_t(bytes) <= size) return;
  }
  fail(CRIA_DEVICE_ERROR, "simt: %s: %lld bytes at %p are not within a live allocation: %s", what,
       static_cast<long long>(bytes), address, describe_address(address));
}

void upload(void *device, const void *host, int64_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  if (bytes == 0) return;
  require_live(device, bytes, "upload");
  std::memcpy(device, host, size_t(bytes));
  std::memset(g_arena.state + shadow_index(device), kWritten, size_t(bytes));
}

void download(void *host, const void *device, int64_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  if (bytes == 0) return;
  require_live(device, bytes, "download");
  std::memcpy(host, device, size_t(bytes));
}

void copy(void *to, const void *from, int64_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  if (bytes == 0) return;
  require_live(to, bytes, "copy");
  require_live(from, bytes, "copy");
  std::memmove(to, from, size_t(bytes));
  std::memmove(g_arena.state + shadow_index(to), g_arena.state + shadow_index(from), size_t(bytes));
}

void fill(void *device, int byte, int64_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(g_mutex);
  if (bytes == 0) return;
  require_live(device, bytes, "fill");
  std::memset(device, byte, size_t(bytes));
  std::memset(g_arena.state + shadow_index(device), kWritten, size_t(bytes));
}

const char *describe_address(const void *address) {
  static char text[256];
  auto *at = const_cast<uint8_t *>(static_cast<const uint8_t *>(address));
  const char *kind = "allocation";
  const std::map<uint8_t *, size_t> *maps[] = {&g_live, &g_freed};
  long long best = 1 << 20;  // farther away it is no neighbour
  std::snprintf(text, sizeof text, "%p is near no allocation", address);
  for (const auto *map : maps) {
    auto after = map->upper_bound(at);
    for (int side = 0; side < 2; side++) {
      if (side == 0 ? after == map->begin() : after == map->end()) continue;
      auto [base, size] = side == 0 ? *std::prev(after) : *after;
      long long offset = at - base;
      long long distance = offset < 0 ? -offset : offset - (long long)(size) + 1;
      if (distance >= best) continue;
      best = distance > 0 ? distance : 0;
      std::snprintf(text, sizeof text, "byte %lld of the %s of %zu bytes at %p", offset, kind, size,
                    static_cast<void *>(base));
    }
    kind = "released allocation";
  }
  return text;
}

namespace {
template <int BYTES>
void check_read(const void *address, Site site) {
  if ((machine.watch & kChecks) != 0) {
    size_t at = shadow_index(address);
    if (at >= g_arena.bytes || at % BYTES != 0 ||
        !all_states<BYTES>(g_arena.state + at, 0xFF, kWritten))
      bad_access(address, BYTES, "read", site);
    watch_races<Space::global, false, BYTES>(g_arena.cells, at, uintptr_t(g_arena.base),
                                             current_racer(site));
  }
}
}  // namespace

template <int BYTES>
void read_global(const void *address, Site site) {
  check_read<BYTES>(address, site);
  if (counting()) count_access(Access::read_global, uintptr_t(address), BYTES, site);
}

template <int BYTES>
void write_global(void *address, Site site) {
  if ((machine.watch & kChecks) != 0) {
    size_t at = shadow_index(address);
    if (at >= g_arena.bytes || at % BYTES != 0 ||
        !all_states<BYTES>(g_arena.state + at, kUnwritten, kUnwritten))
      bad_access(address, BYTES, "write", site);
    std::memset(g_arena.state + at, kWritten, BYTES);
    watch_races<Space::global, true, BYTES>(g_arena.cells, at, uintptr_t(g_arena.base),
                                            current_racer(site));
  }
  if (counting()) count_access(Access::write_global, uintptr_t(address), BYTES, site);
}

// Atomic operations never race with each other, but with plain writes: as reads do.
template <int BYTES>
void atomic_global(void *address, Site site) {
  read_global<BYTES>(address, site);
  if (counting()) count_access(Access::write_global, uintptr_t(address), BYTES, site);
}

template void read_global<1>(const void *, Site);
template void read_global<2>(const void *, Site);
template void read_global<4>(const void *, Site);
template void read_global<8>(const void *, Site);
template void read_global<16>(const void *, Site);
template void write_global<1>(void *, Site);
template void write_global<2>(void *, Site);
template void write_global<4>(void *, Site);
template void write_global<8>(void *, Site);
template void write_global<16>(void *, Site);
template void atomic_global<4>(void *, Site);
template void atomic_global<8>(void *, Site);

void check_global_range(const void *from, int64_t bytes, Site site) {
  auto *at = static_cast<const uint8_t *>(from), *end = at + bytes;
  while (at < end) {
    bool line = reinterpret_cast<uintptr_t>(at) % 16 == 0 && end - at >= 16;
    if (line)
      check_read<16>(at, site);
    else
      check_read<1>(at, site);
    at += line ? 16 : 1;
  }
}

void read_async_source(const void *from, int bytes, Site site) {
  check_global_range(from, bytes, site);
  if (counting() && bytes > 0) count_access(Access::read_global, uintptr_t(from), bytes, site);
}

}  // namespace cria::simt
