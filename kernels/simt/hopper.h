// hopper.h: the primitives of sm_90a on the emulator, with the names and meanings of ../device/hopper.h.
#pragma once

#include "simt/device.h"
#include "simt/objects.h"

namespace cria::gpu {

// ---- Barrier objects

CRIA_GPU void barrier_init(Shared<uint64_t> b, int arrivals, Site site = Site::here()) {
  simt::init_object(b.offset(), arrivals, site);
}
CRIA_GPU void barrier_invalidate(Shared<uint64_t> b, Site site = Site::here()) {
  simt::invalidate_object(b.offset(), site);
}
CRIA_GPU void barrier_arrive(Shared<uint64_t> b, Site site = Site::here()) {
  simt::arrive_at_object(b.offset(), 0, site);
}
CRIA_GPU void barrier_arrive_expect(Shared<uint64_t> b, int bytes, Site site = Site::here()) {
  simt::arrive_at_object(b.offset(), bytes, site);
}
CRIA_GPU void barrier_wait(Shared<uint64_t> b, int parity, Site site = Site::here()) {
  simt::wait(simt::wait_for_object(b.offset(), parity, site));
}
CRIA_GPU void proxy_fence(Site site = Site::here()) { simt::proxy_fence(site); }

// ---- Copies

template <class T>
CRIA_GPU void tile_load(Shared<T> to, const TensorMap &map, int column, int row, Shared<uint64_t> b,
                        Site site = Site::here()) {
  simt::load_tile(to.offset(), map, column, row, b.offset(), site);
}
CRIA_GPU void tile_prefetch(const TensorMap &) {}

// ---- Products

CRIA_GPU uint64_t matrix(Shared<bf16> tile, int step = 0, Site site = Site::here()) {
  return simt::describe_matrix(tile.offset(), step, site);
}

template <int N>
CRIA_GPU void wgmma(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b,
                    Site site = Site::here()) {
  static_assert(N == 64 || N == 128 || N == 256);
  simt::Warp *warp = simt::machine.thread->warp;
  int lane = simt::machine.thread->lane;
  for (int i = 0; i < 4; i++) warp->a[i][lane] = a[i];
  warp->sums[lane] = d;
  warp->left[lane] = a;
  warp->value[lane] = b;
  warp->argument[lane] = N;
  simt::meet(simt::Operation::wgmma, kFullWarp, site);
}

template <int N>
CRIA_GPU void wgmma(float (&d)[N / 2], uint64_t a, uint64_t b, Site site = Site::here()) {
  static_assert(N == 64 || N == 128 || N == 256);
  simt::Warp *warp = simt::machine.thread->warp;
  int lane = simt::machine.thread->lane;
  warp->sums[lane] = d;
  warp->left[lane] = nullptr;
  warp->result[lane] = a;
  warp->value[lane] = b;
  warp->argument[lane] = N;
  simt::meet(simt::Operation::wgmma, kFullWarp, site);
}

CRIA_GPU void wgmma_fence(Site site = Site::here()) {
  simt::wait(simt::arrive_in_wgmma(simt::Operation::wgmma_fence, 0, site));
}
CRIA_GPU void wgmma_commit(Site site = Site::here()) {
  simt::wait(simt::arrive_in_wgmma(simt::Operation::wgmma_commit, 0, site));
}
template <int N>
CRIA_GPU void wgmma_wait(Site site = Site::here()) {
  static_assert(N >= 0);
  simt::wait(simt::arrive_in_wgmma(simt::Operation::wgmma_wait, N, site));
}

template <int COUNT>
CRIA_GPU void wgmma_hold(float (&)[COUNT]) {}

// ---- Warp

CRIA_GPU bool elect_one(Site site = Site::here()) {
  return exchange(simt::Operation::elect_one, 0, 0, kFullWarp, site) != 0;
}
template <int N>
CRIA_GPU void register_increase() {
  static_assert(N % 8 == 0 && N >= 24 && N <= 256);
}
template <int N>
CRIA_GPU void register_decrease() {
  static_assert(N % 8 == 0 && N >= 24 && N <= 256);
}

}  // namespace cria::gpu
