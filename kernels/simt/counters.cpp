// counters.cpp: groups the accesses of lanes into those of warps and counts sectors and bank conflicts.
//
// Lanes run one after the other here, so a warp's access has to be put together: the accesses of its lanes from the same
// place, the first of each lane, the second of each, and so on, since the lanes last stood together.
#include "simt/counters.h"

#include <algorithm>
#include <map>
#include <memory>

#include "simt/memory.h"

namespace cria::simt {

Counters *g_counters;

namespace {

constexpr int kSector = 32;
constexpr int kBanks = 32;
constexpr int kPhase = 128;  // bytes that shared memory moves at once

struct WarpAccess {
  uint32_t site;
  Access access;
  uint8_t bytes;
  uint32_t lanes;
  uint64_t at[kLanes];
};

struct OpenAccesses {
  std::vector<WarpAccess> list;
  size_t next[kLanes];  // where the lane's next access probably belongs
};
OpenAccesses g_open[kMaxWarps];

struct Kernel {
  Counters counters;
  std::map<uint32_t, int64_t> conflicts;  // extra passes by site
};
std::map<std::string, Kernel> g_kernels;
Kernel *g_kernel;

// The launch that last touched each sector of device memory, reading and writing.
uint32_t *g_read_marks, *g_write_marks;
uint32_t g_launch;

void count_global(const WarpAccess &access) {
  bool read = access.access == Access::read_global;
  uint32_t *marks = read ? g_read_marks : g_write_marks;
  uint64_t sectors[kLanes];
  int count = 0;
  int64_t unique = 0;
  for (uint32_t rest = access.lanes; rest != 0; rest &= rest - 1) {
    uint64_t sector = access.at[__builtin_ctz(rest)] / kSector;
    int i = count - 1;  // the last one is the likeliest
    while (i >= 0 && sectors[i] != sector) i--;
    if (i >= 0) continue;
    sectors[count++] = sector;
    uint32_t &mark = marks[sector - reinterpret_cast<uintptr_t>(g_arena.base) / kSector];
    if (mark != g_launch) unique++;
    mark = g_launch;
  }
  Counters &c = *g_counters;
  int64_t bytes = int64_t(access.bytes) * __builtin_popcount(access.lanes);
  (read ? c.bytes_read : c.bytes_written) += bytes;
  (read ? c.sectors_read : c.sectors_written) += count;
  (read ? c.unique_sectors_read : c.unique_sectors_written) += unique;
}

// The most different words that one bank has to give to these lanes.
int passes(const WarpAccess &access, uint32_t lanes) {
  uint64_t words[kBanks][kLanes];
  int count[kBanks] = {}, most = 1;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    uint64_t at = access.at[__builtin_ctz(rest)];
    for (uint64_t word = at / 4; word <= (at + access.bytes - 1) / 4; word++) {
      int bank = int(word % kBanks), i = 0;
      while (i < count[bank] && words[bank][i] != word) i++;
      if (i == count[bank]) words[bank][count[bank]++] = word;
      most = std::max(most, count[bank]);
    }
  }
  return most;
}

void count_shared(const WarpAccess &access) {
  int lanes = std::min(kLanes, kPhase / std::max<int>(access.bytes, 4));
  for (int first = 0; first < kLanes; first += lanes) {
    uint32_t phase = access.lanes >> first << first;
    if (first + lanes < kLanes) phase &= (1u << (first + lanes)) - 1;
    if (phase == 0) continue;
    int extra = passes(access, phase) - 1;
    g_counters->shared_accesses++;
    g_counters->shared_conflicts += extra;
    if (extra > 0) g_kernel->conflicts[access.site] += extra;
  }
}

}  // namespace

void begin_launch_counters(const char *kernel, int threads, int shared_bytes) {
  if (g_read_marks == nullptr) {
    size_t bytes = g_arena.bytes / kSector * sizeof(uint32_t);
    g_read_marks = static_cast<uint32_t *>(reserve(bytes));
    g_write_marks = static_cast<uint32_t *>(reserve(bytes));
    if (g_read_marks == nullptr || g_write_marks == nullptr)
      report("no room for the marks of the counters");
  }
  g_launch++;
  g_kernel = &g_kernels[kernel];
  g_counters = &g_kernel->counters;
  g_counters->kernel = kernel;
  g_counters->launches++;
  g_counters->blocks += int64_t(machine.grid[0]) * machine.grid[1] * machine.grid[2];
  g_counters->threads = std::max(g_counters->threads, int64_t(threads));
  g_counters->shared_bytes = std::max(g_counters->shared_bytes, int64_t(shared_bytes));
  for (OpenAccesses &open : g_open) {
    open.list.clear();
    std::fill(open.next, open.next + kLanes, size_t{0});
  }
}

void count_access(Access access, uint64_t at, int bytes, Site site) {
  const Thread *self = machine.thread;
  OpenAccesses &open = g_open[self->warp->number];
  uint32_t bit = 1u << self->lane, id = site_id(site);
  size_t size = open.list.size(), next = open.next[self->lane];
  auto fits = [&](size_t i) {
    const WarpAccess &a = open.list[i];
    return a.site == id && a.access == access && a.bytes == bytes && (a.lanes & bit) == 0;
  };
  size_t i = next;
  while (i < size && !fits(i)) i++;
  if (i == size) {
    // Lanes that took their branches in another order; not far back, to keep long loops cheap.
    i = next > 256 ? next - 256 : 0;
    while (i < next && !fits(i)) i++;
    if (i == next) {
      i = size;
      open.list.push_back({id, access, uint8_t(bytes), 0, {}});
    }
  }
  open.list[i].lanes |= bit;
  open.list[i].at[self->lane] = at;
  open.next[self->lane] = i + 1;
}

void count_range(uint64_t at, int64_t bytes) {
  g_counters->bytes_read += bytes;
  for (uint64_t sector = at / kSector; sector <= (at + uint64_t(bytes) - 1) / kSector; sector++) {
    uint32_t &mark = g_read_marks[sector - reinterpret_cast<uintptr_t>(g_arena.base) / kSector];
    g_counters->sectors_read++;
    if (mark != g_launch) g_counters->unique_sectors_read++;
    mark = g_launch;
  }
}

void converge(const Warp *warp) {
  OpenAccesses &open = g_open[warp->number];
  for (const WarpAccess &access : open.list) {
    if (access.access == Access::read_global || access.access == Access::write_global)
      count_global(access);
    else
      count_shared(access);
  }
  open.list.clear();
  std::fill(open.next, open.next + kLanes, size_t{0});
}

std::vector<Counters> counters() {
  std::vector<Counters> out;
  for (const auto &entry : g_kernels)
    if (entry.second.counters.launches > 0) out.push_back(entry.second.counters);
  return out;
}

void reset_counters() {
  for (auto &entry : g_kernels) entry.second.counters = {};
}

std::vector<Conflict> conflicts() {
  std::vector<Conflict> out;
  for (const auto &entry : g_kernels)
    for (const auto &conflict : entry.second.conflicts)
      out.push_back({entry.first, place_of(conflict.first), conflict.second});
  std::sort(out.begin(), out.end(), [](const Conflict &a, const Conflict &b) {
    return a.passes != b.passes ? a.passes > b.passes : a.place < b.place;
  });
  return out;
}

void reset_conflicts() {
  for (auto &entry : g_kernels) entry.second.conflicts.clear();
}

}  // namespace cria::simt
