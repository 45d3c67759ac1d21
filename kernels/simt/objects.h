// objects.h: barrier objects, copies of tiles and asynchronous products, as simt/hopper.h calls them.
#pragma once

#include "device/tensor_map.h"
#include "simt/race.h"

namespace cria::simt {

// An mbarrier. Tiles complete bytes on it, threads arrive at it and wait for its phases.
struct Object {
  uint32_t offset;
  int32_t arrivals, pending;  // of a phase; those that it still lacks
  int64_t bytes;              // announced and not yet copied; negative: the other way round
  uint64_t phase;
  bool valid;
  uint32_t waiting[kMaxWarps];
  Stamp init;
  View *arriving, *ended;  // what the arrived know; what those of the last phase knew
};

// A report on other GPUs.
void require_sm_90a(const char *what, Site site);

void init_object(uint32_t offset, int arrivals, Site site);
void invalidate_object(uint32_t offset, Site site);
void arrive_at_object(uint32_t offset, int bytes, Site site);
Next wait_for_object(uint32_t offset, int parity, Site site);
void proxy_fence(Site site);

// The valid object at this offset, for the thread that runs; a report if there is none, or if nothing orders its init.
Object &object_at(uint32_t offset, Site site);
// A tile of so many bytes has landed; its writes have this clock.
void complete_bytes(Object &object, int64_t bytes, uint64_t clock);
int number_of(const Object &object);
// " barrier object at 128: phase 3 lacks 1 of 2 arrivals and 512 bytes", one for each that is waited for.
const char *awaited_objects();

void load_tile(uint32_t to, const gpu::TensorMap &map, int column, int row, uint32_t object,
               Site site);
// Lands a tile: the oldest, or a random one. False if none is in flight.
bool land_tile(bool any);
bool tiles_in_flight();

// A descriptor of 16 columns of a swizzled tile.
uint64_t describe_matrix(uint32_t tile, int step, Site site);
Next arrive_in_wgmma(Operation operation, int groups, Site site);

// At the ends of blocks and warps.
void reset_objects();
void reset_tiles();
void check_tiles_ended();
void reset_products();
void check_products_ended(const Warp *warp);
void check_groups();

}  // namespace cria::simt
