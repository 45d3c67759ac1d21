// tiles.cpp: copies of tiles from device to shared memory by the hardware (TMA), which land on their own.
//
// lazy: when no thread can go on without; eager: at once; random: at some switch between. Until the barrier object's phase
// has ended, nobody may touch the destination.
#include <cstring>
#include <vector>

#include "abi/error.h"
#include "simt/counters.h"
#include "simt/memory.h"
#include "simt/objects.h"
#include "simt/schedule.h"
#include "simt/warp.h"

namespace cria::simt {

namespace {

constexpr uint64_t kMagic = 0x74696c6573206f66u;

// The emulator's own form of a descriptor.
struct Map {
  uint64_t magic;
  const uint8_t *base;
  int64_t rows, columns, pitch;
  int32_t element_bytes, tile_rows, tile_columns, swizzled;
};
static_assert(sizeof(Map) <= sizeof(gpu::TensorMap));

struct Tile {
  Map map;
  uint32_t to;
  int column, row;
  Object *object;
  uint64_t clock;
  Site site;
};
std::vector<Tile> g_in_flight;

int row_bytes(const Map &map) { return map.tile_columns * map.element_bytes; }

// Calls f(row of the tile, address, bytes before it in the row, bytes) for what lies within the matrix.
template <class F>
void for_rows(const Tile &tile, F f) {
  const Map &map = tile.map;
  int64_t first = tile.column < 0 ? -int64_t(tile.column) : 0;
  int64_t end = map.columns - tile.column;
  if (end > map.tile_columns) end = map.tile_columns;
  if (end <= first) return;
  for (int r = 0; r < map.tile_rows; r++) {
    int64_t row = int64_t(tile.row) + r;
    if (row < 0 || row >= map.rows) continue;
    const uint8_t *from =
        map.base + row * map.pitch + (int64_t(tile.column) + first) * map.element_bytes;
    f(r, from, first * map.element_bytes, (end - first) * map.element_bytes);
  }
}

void land(const Tile &tile) {
  int width = row_bytes(tile.map);
  int64_t bytes = int64_t(width) * tile.map.tile_rows;
  static std::vector<uint8_t> plain;
  plain.assign(size_t(bytes), 0);
  for_rows(tile, [&](int r, const uint8_t *from, int64_t before, int64_t count) {
    std::memcpy(&plain[size_t(r * width + before)], from, size_t(count));
  });
  for (int64_t i = 0; i < bytes; i += 16) {
    auto at = uint32_t(tile.to + i);
    if (tile.map.swizzled) at ^= (at >> 7 & 7) << 4;
    std::memcpy(machine.shared + at, &plain[size_t(i)], 16);
  }
  if (machine.watch & kChecks) tile_written(tile.to, int(bytes));
  complete_bytes(*tile.object, bytes, tile.clock);
}

void refuse(const char *what, Site site) {
  report("copy of a tile: %s at %s:%d, thread %d", what, base_name(site.file), site.line,
         machine.thread->index);
}

}  // namespace

void load_tile(uint32_t to, const gpu::TensorMap &map, int column, int row, uint32_t object,
               Site site) {
  Tile tile{};
  std::memcpy(&tile.map, &map, sizeof tile.map);
  if (tile.map.magic != kMagic) refuse("not a map of make_tensor_map", site);
  tile.to = to;
  tile.column = column;
  tile.row = row;
  tile.site = site;
  tile.object = &object_at(object, site);
  int64_t bytes = int64_t(row_bytes(tile.map)) * tile.map.tile_rows;
  if (to % (tile.map.swizzled ? 1024 : 128) != 0)
    refuse("misaligned destination: not at a multiple of 128 bytes, or 1024 if swizzled", site);
  if (to + bytes > machine.shared_bytes) refuse("destination out of bounds", site);
  if (machine.watch & kChecks) {
    if (!fenced(tile.object->init, current_racer(site)))
      refuse("no proxy_fence since the barrier object was made", site);
    for_rows(tile, [&](int, const uint8_t *from, int64_t, int64_t count) {
      check_global_range(from, count, site);
    });
    tile.clock = kFuture + ++g_clocks.now;
    Stamp stamp = stamp_of(tile.clock, site, kFirstObject + number_of(*tile.object));
    for (int64_t i = 0; i < bytes; i += 16) check_tile_write(uint32_t(to + i), stamp, site);
  }
  if (counting())
    for_rows(tile, [&](int, const uint8_t *from, int64_t, int64_t count) {
      count_range(uintptr_t(from), count);
    });
  std::memset(machine.shared + to, 0xFF, size_t(bytes));
  g_in_flight.push_back(tile);
  if (g_land_at_once) land_tile(false);
}

bool land_tile(bool any) {
  if (g_in_flight.empty()) return false;
  size_t i = any ? size_t(random_below(int(g_in_flight.size()))) : 0;
  Tile tile = g_in_flight[i];
  g_in_flight.erase(g_in_flight.begin() + ptrdiff_t(i));
  land(tile);
  return true;
}

bool tiles_in_flight() { return !g_in_flight.empty(); }

void check_tiles_ended() {
  if (g_in_flight.empty()) return;
  Site site = g_in_flight.front().site;
  report("copy of a tile: the block ends with %zu copies not waited for, the first of %s:%d",
         g_in_flight.size(), base_name(site.file), site.line);
}

void reset_tiles() { g_in_flight.clear(); }

}  // namespace cria::simt

namespace cria::gpu {

TensorMap make_tensor_map(const Tiling &t) {
  auto wrong = [&](const char *what) {
    fail(CRIA_DEVICE_ERROR,
         "make_tensor_map: %s: %lld x %lld elements of %d bytes, pitch %lld, tiles of %d x %d%s",
         what, static_cast<long long>(t.rows), static_cast<long long>(t.columns), t.element_bytes,
         static_cast<long long>(t.pitch), t.tile_rows, t.tile_columns,
         t.swizzled ? ", swizzled" : "");
  };
  if (t.element_bytes != 1 && t.element_bytes != 2 && t.element_bytes != 4)
    wrong("elements of 1, 2 or 4 bytes");
  if (t.rows < 1 || t.columns < 1 || t.rows > int64_t{1} << 32 || t.columns > int64_t{1} << 32)
    wrong("rows and columns in 1..2^32");
  if (reinterpret_cast<uintptr_t>(t.base) % 16 != 0 || t.pitch % 16 != 0)
    wrong("base and pitch at multiples of 16 bytes");
  if (t.pitch < t.columns * t.element_bytes || t.pitch >= int64_t{1} << 40)
    wrong("the pitch must hold a row");
  if (t.tile_rows < 1 || t.tile_columns < 1 || t.tile_rows > 256 || t.tile_columns > 256)
    wrong("at most 256 rows and columns in a tile");
  int width = t.tile_columns * t.element_bytes;
  if (width % 16 != 0) wrong("a row of a tile must be a multiple of 16 bytes");
  if (t.swizzled && width != 128) wrong("a row of a swizzled tile must have 128 bytes");
  simt::Map map{simt::kMagic, static_cast<const uint8_t *>(t.base),
                t.rows,       t.columns,
                t.pitch,      t.element_bytes,
                t.tile_rows,  t.tile_columns,
                t.swizzled};
  TensorMap out{};
  std::memcpy(&out, &map, sizeof map);
  return out;
}

}  // namespace cria::gpu
