// device.h: the primitive layer on the emulator, with the names and meanings of ../device/cuda.h.
//
// Every function takes its place in the kernel source as a defaulted last argument. Moving the bytes is done here,
// inline; everything else is behind one test of machine.watch or, for what synchronises, in a function of machine.h.
#pragma once

#include <cmath>

#include "device/types.h"
#include "simt/machine.h"

// A kernel is a plain function: the launch runs it once for each thread.
#define CRIA_KERNEL(threads, blocks)

namespace cria::gpu {

using simt::Site;

CRIA_GPU int thread_index() { return simt::machine.thread->index; }
CRIA_GPU int lane_index() { return simt::machine.thread->lane; }
CRIA_GPU int warp_index() { return simt::machine.thread->index / kWarp; }
CRIA_GPU int block_x() { return simt::machine.block[0]; }
CRIA_GPU int block_y() { return simt::machine.block[1]; }
CRIA_GPU int block_z() { return simt::machine.block[2]; }
CRIA_GPU int grid_x() { return simt::machine.grid[0]; }
CRIA_GPU int grid_y() { return simt::machine.grid[1]; }
CRIA_GPU int grid_z() { return simt::machine.grid[2]; }

// ---- Global memory

template <class T>
CRIA_GPU T load(const T *p, Site site = Site::here()) {
  static_assert(sizeof(T) <= 16 && (sizeof(T) & (sizeof(T) - 1)) == 0);
  if (simt::machine.watch) simt::read_global<sizeof(T)>(p, site);
  T value;
  memcpy(&value, p, sizeof(T));
  return value;
}

template <class T>
CRIA_GPU T load_stream(const T *p, Site site = Site::here()) {
  return load(p, site);
}

template <class T>
CRIA_GPU void store(T *p, T value, Site site = Site::here()) {
  static_assert(sizeof(T) <= 16 && (sizeof(T) & (sizeof(T) - 1)) == 0);
  if (simt::machine.watch) simt::write_global<sizeof(T)>(p, site);
  memcpy(p, &value, sizeof(T));
}

template <class T>
CRIA_GPU T atomic_apply(T *p, T value, bool add, Site site) {
  if (simt::machine.watch) simt::atomic_global<sizeof(T)>(p, site);
  T old = *p;
  *p = add ? T(old + value) : (value < old ? value : old);
  return old;
}
CRIA_GPU int32_t atomic_add(int32_t *p, int32_t v, Site site = Site::here()) {
  return int32_t(
      atomic_apply(reinterpret_cast<uint32_t *>(p), static_cast<uint32_t>(v), true, site));
}
CRIA_GPU uint32_t atomic_add(uint32_t *p, uint32_t v, Site site = Site::here()) {
  return atomic_apply(p, v, true, site);
}
CRIA_GPU uint64_t atomic_add(uint64_t *p, uint64_t v, Site site = Site::here()) {
  return atomic_apply(p, v, true, site);
}
CRIA_GPU uint64_t atomic_min(uint64_t *p, uint64_t v, Site site = Site::here()) {
  return atomic_apply(p, v, false, site);
}

// ---- Shared memory

// An address in the block's dynamic shared memory.
template <class T>
class Shared {
 public:
  explicit Shared(uint32_t offset) : offset_(offset) {}
  uint32_t offset() const { return offset_; }
  Shared operator+(int i) const { return Shared(at(i)); }
  template <class U>
  Shared<U> as() const {
    return Shared<U>(offset_);
  }
  T load(int i = 0, Site site = Site::here()) const { return get<T>(at(i), site); }
  void store(int i, T value, Site site = Site::here()) const { set<T>(at(i), value, site); }
  template <int N>
  Vec<T, N> vec(int i = 0, Site site = Site::here()) const {
    return get<Vec<T, N>>(at(i), site);
  }
  template <int N>
  void set_vec(int i, Vec<T, N> value, Site site = Site::here()) const {
    set<Vec<T, N>>(at(i), value, site);
  }

 private:
  uint32_t at(int i) const { return offset_ + uint32_t(i) * uint32_t(sizeof(T)); }
  template <class V>
  static V get(uint32_t offset, Site site) {
    static_assert(sizeof(V) <= 16 && (sizeof(V) & (sizeof(V) - 1)) == 0);
    if (simt::machine.watch) simt::read_shared<sizeof(V)>(offset, site);
    V value;
    memcpy(&value, simt::machine.shared + offset, sizeof(V));
    return value;
  }
  template <class V>
  static void set(uint32_t offset, V value, Site site) {
    static_assert(sizeof(V) <= 16 && (sizeof(V) & (sizeof(V) - 1)) == 0);
    if (simt::machine.watch) simt::write_shared<sizeof(V)>(offset, site);
    memcpy(simt::machine.shared + offset, &value, sizeof(V));
  }

  uint32_t offset_;
};

template <class T>
CRIA_GPU Shared<T> shared(uint32_t offset) {
  return Shared<T>(offset);
}

// ---- Asynchronous copies

template <int BYTES, class T>
CRIA_GPU void copy_async(Shared<T> to, const void *from, int valid = BYTES,
                         Site site = Site::here()) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
  simt::copy_async(to.offset(), from, BYTES, valid, site);
}

CRIA_GPU void copy_async_commit(Site site = Site::here()) { simt::copy_async_commit(site); }

template <int N>
CRIA_GPU void copy_async_wait(Site site = Site::here()) {
  static_assert(N >= 0);
  simt::copy_async_wait(N, site);
}

// ---- Warp and block

template <class T>
CRIA_GPU T exchange(simt::Operation operation, T v, int argument, uint32_t mask, Site site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  simt::Thread *self = simt::machine.thread;
  uint64_t value = 0;
  memcpy(&value, &v, sizeof(T));
  self->warp->value[self->lane] = value;
  self->warp->argument[self->lane] = argument;
  simt::meet(operation, mask, site);
  memcpy(&v, &self->warp->result[self->lane], sizeof(T));
  return v;
}

template <class T>
CRIA_GPU T shuffle(T v, int lane, uint32_t mask = kFullWarp, Site site = Site::here()) {
  return exchange(simt::Operation::shuffle, v, lane, mask, site);
}
template <class T>
CRIA_GPU T shuffle_xor(T v, int bits, uint32_t mask = kFullWarp, Site site = Site::here()) {
  return exchange(simt::Operation::shuffle_xor, v, bits, mask, site);
}
template <class T>
CRIA_GPU T shuffle_down(T v, int delta, uint32_t mask = kFullWarp, Site site = Site::here()) {
  return exchange(simt::Operation::shuffle_down, v, delta, mask, site);
}
template <class T>
CRIA_GPU T shuffle_up(T v, int delta, uint32_t mask = kFullWarp, Site site = Site::here()) {
  return exchange(simt::Operation::shuffle_up, v, delta, mask, site);
}
CRIA_GPU bool vote_any(bool c, uint32_t mask = kFullWarp, Site site = Site::here()) {
  return exchange(simt::Operation::vote_any, uint32_t(c), 0, mask, site) != 0;
}
CRIA_GPU bool vote_all(bool c, uint32_t mask = kFullWarp, Site site = Site::here()) {
  return exchange(simt::Operation::vote_all, uint32_t(c), 0, mask, site) != 0;
}
CRIA_GPU uint32_t ballot(bool c, uint32_t mask = kFullWarp, Site site = Site::here()) {
  return exchange(simt::Operation::ballot, uint32_t(c), 0, mask, site);
}
CRIA_GPU void warp_sync(uint32_t mask = kFullWarp, Site site = Site::here()) {
  simt::wait(simt::arrive_in_warp_sync(mask, site));
}
CRIA_GPU void block_sync(Site site = Site::here()) { simt::wait(simt::arrive_at_block(site)); }
CRIA_GPU void named_sync(int id, int threads, Site site = Site::here()) {
  simt::wait(simt::arrive_at_named(id, threads, site));
}

// ---- Matrices

template <int N>
CRIA_GPU void load_matrices(simt::Operation operation, uint32_t (&r)[N], Shared<bf16> row,
                            Site site) {
  static_assert(N == 1 || N == 2 || N == 4);
  simt::Thread *self = simt::machine.thread;
  simt::load_row(row.offset(), N, site);
  simt::meet(operation, kFullWarp, site);
  for (int i = 0; i < N; i++) r[i] = self->warp->matrices[i * kWarp + self->lane];
}
template <int N>
CRIA_GPU void load_matrix(uint32_t (&r)[N], Shared<bf16> row, Site site = Site::here()) {
  load_matrices(simt::Operation::load_matrix, r, row, site);
}
template <int N>
CRIA_GPU void load_matrix_transposed(uint32_t (&r)[N], Shared<bf16> row, Site site = Site::here()) {
  load_matrices(simt::Operation::load_matrix_transposed, r, row, site);
}

template <int A, int B>
CRIA_GPU void multiply(simt::Operation operation, float (&d)[4], const uint32_t (&a)[A],
                       const uint32_t (&b)[B], Site site) {
  simt::Warp *warp = simt::machine.thread->warp;
  int lane = simt::machine.thread->lane;
  for (int i = 0; i < A; i++) warp->a[i][lane] = a[i];
  for (int i = 0; i < B; i++) {
    int k = 2 * (lane % 4) + 8 * i;
    warp->b[k][lane / 4] = uint16_t(b[i]);
    warp->b[k + 1][lane / 4] = uint16_t(b[i] >> 16);
  }
  for (int i = 0; i < 4; i++) warp->c[i / 2][lane][i % 2] = d[i];
  simt::meet(operation, kFullWarp, site);
  for (int i = 0; i < 4; i++) d[i] = warp->c[i / 2][lane][i % 2];
}
CRIA_GPU void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                          Site site = Site::here()) {
  multiply(simt::Operation::mma_16x8x16, d, a, b, site);
}
CRIA_GPU void mma_16x8x8(float (&d)[4], const uint32_t (&a)[2], const uint32_t (&b)[1],
                         Site site = Site::here()) {
  multiply(simt::Operation::mma_16x8x8, d, a, b, site);
}

// ---- Bits and math

// Each nibble of the selector picks one of the eight bytes of b:a, its bit 3 the byte's sign bit spread over the byte.
CRIA_GPU uint32_t byte_permute(uint32_t a, uint32_t b, uint32_t selector) {
  uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t out = 0;
  for (int i = 0; i < 4; i++) {
    uint32_t nibble = selector >> 4 * i & 0xF;
    uint32_t byte = uint32_t(bytes >> 8 * (nibble & 7)) & 0xFF;
    if (nibble & 8) byte = byte & 0x80 ? 0xFF : 0;
    out |= byte << 8 * i;
  }
  return out;
}

// The truth table LUT, whose index has the bit of a as 4, of b as 2 and of c as 1.
template <int LUT>
CRIA_GPU uint32_t lop3(uint32_t a, uint32_t b, uint32_t c) {
  static_assert(LUT >= 0 && LUT <= 0xFF);
  uint32_t out = 0;
  if (LUT & 0x01) out |= ~a & ~b & ~c;
  if (LUT & 0x02) out |= ~a & ~b & c;
  if (LUT & 0x04) out |= ~a & b & ~c;
  if (LUT & 0x08) out |= ~a & b & c;
  if (LUT & 0x10) out |= a & ~b & ~c;
  if (LUT & 0x20) out |= a & ~b & c;
  if (LUT & 0x40) out |= a & b & ~c;
  if (LUT & 0x80) out |= a & b & c;
  return out;
}

// Two floats rounded to nearest even as a pair of bf16; a NaN becomes 0x7FFF as in hardware.
CRIA_GPU uint32_t pack_bf16(float low, float high) {
  auto half = [](float x) {
    uint32_t bits = bits_of(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FFFu;
    return (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
  };
  return half(low) | half(high) << 16;
}

// The hardware's approximations flush denormals; the rest is rounded as C does.
CRIA_GPU float flush_denormal(float x) {
  return (bits_of(x) & 0x7F800000u) == 0 ? float_of(bits_of(x) & 0x80000000u) : x;
}
CRIA_GPU float exp2_approx(float x) { return flush_denormal(exp2f(flush_denormal(x))); }
CRIA_GPU float rcp_approx(float x) { return flush_denormal(1.0f / flush_denormal(x)); }
CRIA_GPU float rsqrt_approx(float x) { return 1.0f / sqrtf(flush_denormal(x)); }

}  // namespace cria::gpu
