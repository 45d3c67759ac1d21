// emulator.h: the SIMT emulator as its user (the "simt" device) sees it: device memory, kernel launches, settings, counters.
//
// A launch runs every thread of a grid as a fiber on the emulator's own thread and watches what the threads do through
// the primitive layer (device.h beside this file). What it finds is a report: the launch fails with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "simt/site.h"

namespace cria::simt {

enum class AsyncMode { lazy, eager, random };
enum class MmaMode { sequential, pairwise, float64 };

// How launches run. The first settings come from the environment variable CRIA_SIMT, e.g.
// "async=eager,mma=pairwise,seed=3,checks=off,arch=sm_86,counters=on,skip=rmsnorm.cu:57"; skip removes the
// synchronising call at that place, of all kernels or ("rmsnorm@rmsnorm.cu:57") of one (mutation runs).
struct Settings {
  AsyncMode async = AsyncMode::lazy;
  MmaMode mma = MmaMode::sequential;
  uint64_t seed = 0;      // of the schedule; 0: fibers in order
  bool checks = true;     // races, uninitialised reads, bounds of every access
  bool counters = false;  // sectors, bank conflicts, mma, barriers
  std::string architecture = "sm_90";
  std::string skip;  // "file.cu:line" or "kernel@file.cu:line", empty for none
};
Settings &settings();
// Settings from text in that form; throws cria::Error on a word it does not know.
Settings parse_settings(std::string text);

// Device memory, aligned to 256 bytes, between red zones, not initialised. Null where the system has none.
void *allocate(int64_t bytes);
// Memory of allocate(); any later access is reported.
void release(void *address);
// Forgets the contents of live memory: reading it before the next write is reported. (A caching allocator reuses memory.)
void forget(void *address, int64_t bytes);
// Copies between host and device or within the device; device ranges must be live (throws cria::Error).
void upload(void *device, const void *host, int64_t bytes);
void download(void *host, const void *device, int64_t bytes);
void copy(void *to, const void *from, int64_t bytes);
void fill(void *device, int byte, int64_t bytes);

struct Grid {
  int64_t x = 1, y = 1, z = 1;
};

// Runs `body` for every thread of the grid and returns when all have ended. Throws cria::Error (CRIA_DEVICE_ERROR) with the
// first report: kernel, kind of the defect, places, threads.
void launch(const char *kernel, Grid grid, int threads, int shared_bytes,
            const std::function<void()> &body);

// Sums over the launches of one kernel since the last reset.
struct Counters {
  std::string kernel;
  int64_t launches = 0, blocks = 0;
  int64_t threads = 0, shared_bytes = 0;  // of a block, the most of any launch
  // Global memory: bytes that lanes asked for, and 32-byte sectors that their warp's accesses touch.
  int64_t bytes_read = 0, bytes_written = 0;
  int64_t sectors_read = 0, sectors_written = 0;
  // Distinct sectors touched by the whole launch: the least that must move, caches being perfect.
  int64_t unique_sectors_read = 0, unique_sectors_written = 0;
  // Shared memory: passes of up to 128 bytes (a 16-byte access of a warp has four), and what bank conflicts add to them.
  int64_t shared_accesses = 0, shared_conflicts = 0;
  int64_t mma_16x8x16 = 0, mma_16x8x8 = 0, wgmma = 0;
  // Barriers of a block or part of one, warp syncs, copies of single lanes.
  int64_t block_barriers = 0, warp_barriers = 0, async_copies = 0;
};
std::vector<Counters> counters();
void reset_counters();
// Bank conflicts by place, most first: those at addresses that depend on data are known by their place.
struct Conflict {
  std::string kernel, place;
  int64_t passes;
};
std::vector<Conflict> conflicts();
void reset_conflicts();

// Places of synchronising calls (barriers, warp syncs, async waits) that ran since the last reset,
// "kernel@file.cu:line".
std::vector<std::string> synchronising_places();
void reset_synchronising_places();

}  // namespace cria::simt
