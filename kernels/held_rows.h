// held_rows.h: rows that a block passes over several times: read once, then kept in shared memory as far as they fit.
#pragma once

#include "device/device.h"

namespace cria::gpu {

constexpr int64_t kHeldFloats = 24576;  // 96 KiB: what a block may have on every architecture

// Elements of each of `rows` rows of n that are kept.
inline int64_t held_elements(int rows, int64_t n) { return minimum(n, kHeldFloats / rows); }

// The same elements of ROWS rows of n floats; thread t of THREADS has elements t, t + THREADS, ... and sees no others, so
// that no barrier is needed. Takes ROWS * held floats of shared memory at `offset`.
template <int THREADS, int ROWS>
class HeldRows {
 public:
  using Elements = Vec<float, ROWS>;

  CRIA_GPU HeldRows(uint32_t offset, int64_t held, int64_t n, const float *const (&rows)[ROWS])
      : kept_(shared<float>(offset)), held_(int(held)), n_(n) {
    for (int r = 0; r < ROWS; ++r) rows_[r] = rows[r];
#pragma unroll 8
    for (int i = thread_index(); i < held_; i += THREADS) {
      const Elements e = read(i);
      for (int r = 0; r < ROWS; ++r) kept_.store(r * held_ + i, e[r]);
    }
  }

  // f(i, elements i of the rows) for this thread's elements, ascending.
  template <class F>
  CRIA_GPU void each(F f) const {
    int64_t i = thread_index();
    for (; i < held_; i += THREADS) {
      Elements e;
      for (int r = 0; r < ROWS; ++r) e[r] = kept_.load(r * held_ + int(i));
      f(i, e);
    }
    for (; i < n_; i += THREADS) f(i, read(i));
  }

 private:
  CRIA_GPU Elements read(int64_t i) const {
    Elements e;
    for (int r = 0; r < ROWS; ++r) e[r] = load(rows_[r] + i);
    return e;
  }

  const Shared<float> kept_;
  const int held_;
  const int64_t n_;
  const float *rows_[ROWS];
};

}  // namespace cria::gpu
