// tile.h: what the kernels of matrix products share: tiles of operands in shared memory, the pipeline that fills them, and
// the order in which blocks take the tiles of the output.
#pragma once

#include <type_traits>

#include "device/device.h"
#include "host/launch.h"
#include "product.h"

namespace cria::gpu {

// A part of an operand in shared memory: LINES lines of LENGTH elements. With SWIZZLE the chunks of 16 bytes of a line are
// exchanged so that the same chunk of 8 lines that follow each other lies in 8 different groups of banks.
template <class T, int LINES, int LENGTH, bool SWIZZLE>
struct Tile {
  static constexpr int kElements = LINES * LENGTH;
  static constexpr int kChunk = 16 / static_cast<int>(sizeof(T));
  static constexpr int kChunks = LENGTH / kChunk;

  CRIA_GPU static int at(int line, int element) {
    if constexpr (!SWIZZLE) return line * LENGTH + element;
    // Two lines of 4 chunks share the 8 groups of banks.
    const int exchange = kChunks >= 8 ? line & 7 : line >> 1 & 3;
    return line * LENGTH + (element ^ exchange * kChunk);
  }

  // Starts copies, of V elements each, of the elements at `from` that exist; the others become zero. `from` and pitch are
  // multiples of V elements.
  template <int THREADS, int V>
  CRIA_GPU static void copy(Shared<T> to, const T *from, int64_t pitch, int64_t lines,
                            int64_t length) {
    constexpr int kAcross = LENGTH / V, kStep = THREADS / kAcross;
    static_assert(THREADS % kAcross == 0 && LINES % kStep == 0);
    const int first = thread_index() / kAcross, element = thread_index() % kAcross * V;
    const int left = int(minimum(length - element, int64_t{V}));
    const int valid = left > 0 ? left * int(sizeof(T)) : 0;
    const T *source = from + first * pitch + element;
#pragma unroll
    for (int line = 0; line < LINES; line += kStep, source += kStep * pitch) {
      const bool exists = valid > 0 && first + line < lines;
      copy_async<V *int(sizeof(T))>(to + at(first + line, element), exists ? source : from,
                                    exists ? valid : 0);
    }
  }
};

// WIDTH rows of a (or columns of b) and DEPTH steps of k of an operand, lines as they lie in memory. Across k, floats are read
// in vectors along a line, which needs no swizzle.
template <class T, bool ALONG_K, int WIDTH, int DEPTH>
struct Stage : std::conditional_t<ALONG_K, Tile<T, WIDTH, DEPTH, true>,
                                  Tile<T, DEPTH, WIDTH, sizeof(T) < 4>> {
  // Starts the copies of rows from `row` on, of `rows`, and k from `k` on, of `depth`.
  template <int THREADS, int V>
  CRIA_GPU static void copy(Shared<T> to, const Operand<T> &from, int batch, int64_t row,
                            int64_t rows, int64_t k, int64_t depth) {
    using Lines = typename Stage::Tile;
    const T *data = from.data + batch * from.stride;
    if constexpr (ALONG_K) {
      Lines::template copy<THREADS, V>(to, data + row * from.pitch + k, from.pitch, rows - row,
                                       depth - k);
    } else {
      Lines::template copy<THREADS, V>(to, data + k * from.pitch + row, from.pitch, depth - k,
                                       rows - row);
    }
  }
};

// The tile of an output that a block makes. Neighbours in the order share rows or columns, so that what they read is still in
// the L2 cache: columns pass by groups of 8 rows.
struct TilePlace {
  int batch, row, column;
  CRIA_GPU TilePlace(int rows, int columns, int block) {
    constexpr int kGroup = 8;
    const int tile = block % (rows * columns);
    const int group = tile / (kGroup * columns), within = tile % (kGroup * columns);
    const int height = minimum(kGroup, rows - group * kGroup);
    batch = block / (rows * columns);
    row = group * kGroup + within % height;
    column = within / height;
  }
};

// A tile of a product. Sums is what the threads make of the stages: its sums, how they grow by a stage, how they are stored.
// The copies of a stage start kStages - 1 steps ahead; V elements each.
template <class Sums, int V, class T>
CRIA_GPU void multiply_tile(const Product<T> &p) {
  constexpr int kM = Sums::kM, kN = Sums::kN, kDepth = Sums::kDepth, kStages = Sums::kStages;
  using StageA = typename Sums::StageA;
  using StageB = typename Sums::StageB;
  const TilePlace place(int(divide_up(p.m, kM)), int(divide_up(p.n, kN)), block_x());
  const int64_t row = int64_t(place.row) * kM, column = int64_t(place.column) * kN;
  const Shared<T> a = shared<T>(0), b = a + kStages * StageA::kElements;
  const int64_t steps = divide_up(p.k, kDepth);
  const auto copy = [&](int64_t step, int stage) {
    if (step < steps) {
      StageA::template copy<Sums::kThreads, V>(a + stage * StageA::kElements, p.a, place.batch, row,
                                               p.m, step * kDepth, p.k);
      StageB::template copy<Sums::kThreads, V>(b + stage * StageB::kElements, p.b, place.batch,
                                               column, p.n, step * kDepth, p.k);
    }
    copy_async_commit();
  };
  Sums sums;
  for (int step = 0; step < kStages - 1; ++step) copy(step, step);
  int stage = 0, free = kStages - 1;
  for (int64_t step = 0; step < steps; ++step) {
    copy_async_wait<kStages - 2>();
    block_sync();
    // All threads have left the stage of the step before, too.
    copy(step + kStages - 1, free);
    sums.add(a + stage * StageA::kElements, b + stage * StageB::kElements,
             int(minimum(p.k - step * kDepth, int64_t{kDepth})));
    free = stage;
    stage = stage + 1 < kStages ? stage + 1 : 0;
  }
  sums.store(p, place.batch, row, column);
}

template <class Sums, class T>
int64_t tiles_of(const Product<T> &p) {
  return p.batch * divide_up(p.m, Sums::kM) * divide_up(p.n, Sums::kN);
}

template <class Sums, class T>
void launch_tiles(GpuQueue &queue, const char *name, void (*kernel)(Product<T>),
                  const Product<T> &p) {
  constexpr int kElements = Sums::StageA::kElements + Sums::StageB::kElements;
  launch(queue, name, kernel, {tiles_of<Sums>(p)}, Sums::kThreads,
         Sums::kStages * kElements * int(sizeof(T)), p);
}

// Writes N sums that follow each other in a row of the output, from `column` on.
template <int N, class T>
CRIA_GPU void store_sums(const Product<T> &p, int batch, int64_t row, int64_t column,
                         const float (&sums)[N]) {
  float *c = p.c + batch * p.c_stride + row * p.c_pitch + column;
  const auto value = [&](int i, float before) {
    const float kept = p.dropout.threshold ? p.dropout.of(uint64_t(row * p.n + column + i)) : 1.0f;
    return fmaf(p.alpha * kept, sums[i], before);
  };
  if (column + N <= p.n && reinterpret_cast<uintptr_t>(c) % (N * sizeof(float)) == 0) {
    Vec<float, N> out = {};
    if (p.accumulate) out = load_vec<N>(c);
#pragma unroll
    for (int i = 0; i < N; ++i) out[i] = value(i, out[i]);
    store_vec(c, out);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      if (column + i < p.n) store(c + i, value(i, p.accumulate ? load(c + i) : 0.0f));
    }
  }
}

}  // namespace cria::gpu
