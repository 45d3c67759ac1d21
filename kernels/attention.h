// attention.h: what the kernels of attention forward and backward share: packed heads, tiles in shared memory, and how
// fragments are read from them and written to tensors.
//
// Heads are packed as bf16 rows of 8 * N8 columns, the head width rounded up and padded with zeros. N8 is a template
// parameter; the OpenLLaMA-3B width of 100 has its own: 104 = 6 steps of k16 and one of k8, or 13 tiles of n8.
#pragma once

#include <type_traits>

#include "device/device.h"
#include "host/attention_plan.h"

namespace cria::gpu {

constexpr int kAttentionThreads = 128;

// ---- Host

// Calls body with the least N8 that holds heads of width d, as an integral constant. Few widths, since each costs a
// compilation of every kernel.
template <class Body>
void with_head_width(int64_t d, Body body) {
  if (d <= 32) return body(std::integral_constant<int, 4>());
  if (d <= 64) return body(std::integral_constant<int, 8>());
  if (d <= 104) return body(std::integral_constant<int, 13>());
  body(std::integral_constant<int, 16>());
}

// factor * x [T, heads*D], rounded, as [heads][T][columns].
class PackedHeads : public Scratch {
 public:
  PackedHeads(GpuQueue &queue, int64_t t, int64_t heads, int64_t d, int columns, float factor,
              const float *x);
  const bf16 *data() const { return as<bf16>(); }
};

// Scores are kept in base 2 with a factor of 0 or more, so that the largest product is the largest score: the sign of the
// scale goes to the queries when they are packed.
struct ScoreScale {
  float query;   // of the queries: -1, 0 or 1
  float base_2;  // of the products, more than 0, so that -inf stays -inf
  explicit ScoreScale(float scale)
      : query(scale == 0 ? 0.0f : copysignf(1.0f, scale)),
        base_2(scale == 0 ? 1.0f : fabsf(scale) * 1.44269504f) {}
};

// ---- Device

// Four neighbouring columns of a row of d floats, zero from d on.
template <bool VECTORS>
CRIA_GPU Vec<float, 4> load_4(const float *row, int column, int d CRIA_PLACE) {
  Vec<float, 4> x = {};
  if constexpr (VECTORS) {
    if (column < d) x = load_vec<4>(row + column CRIA_AT_PLACE);
  } else {
    for (int j = 0; j < 4; ++j)
      if (column + j < d) x[j] = load(row + column + j CRIA_AT_PLACE);
  }
  return x;
}

CRIA_GPU Vec<uint32_t, 2> pack_4(const Vec<float, 4> &x, float factor) {
  return {{pack_bf16(x[0] * factor, x[1] * factor), pack_bf16(x[2] * factor, x[3] * factor)}};
}

CRIA_GPU QueryBlock load_block(const QueryBlock *at CRIA_PLACE) {
  const auto *p = reinterpret_cast<const int32_t *>(at);
  const Vec<int32_t, 4> a = load_vec<4>(p CRIA_AT_PLACE);
  const Vec<int32_t, 2> b = load_vec<2>(p + 4 CRIA_AT_PLACE);
  return {a[0], a[1], a[2], a[3], b[0], b[1]};
}

// Keys row .. row + rows of the batch, of which row r of a query block sees the first limit + step * r.
struct KeyTile {
  int row, rows, limit, step;
};

// The tiles of KEYS keys that a block sees: first those of the prefix, then those of its own sequence.
template <int KEYS>
CRIA_GPU int prefix_tiles(const QueryBlock &block) {
  return (block.prefix + KEYS - 1) / KEYS;
}
template <int KEYS>
CRIA_GPU int key_tiles(const QueryBlock &block) {
  return prefix_tiles<KEYS>(block) + (block.keys + KEYS - 1) / KEYS;
}
template <int KEYS>
CRIA_GPU KeyTile key_tile(const QueryBlock &block, int number) {
  const int own = number - prefix_tiles<KEYS>(block);
  if (own < 0) {
    const int base = number * KEYS, rest = block.prefix - base;
    return {block.prefix_row + base, minimum(rest, KEYS), rest, 0};
  }
  const int base = own * KEYS;
  return {block.row - block.position + base, minimum(block.keys - base, KEYS),
          block.position + 1 - base, 1};
}

// Rows in shared memory. A row takes an odd number of 16-byte chunks, so that the eight rows of a matrix lie in different
// banks.
template <int N8>
struct HeadTile {
  static constexpr int kColumns = 8 * N8;
  static constexpr int kPitch = 16 * (N8 | 1);  // bytes
  static constexpr int kSteps = N8 / 2;         // of k16; then one of k8 if N8 is odd
  static constexpr bool kOdd = N8 % 2 == 1;
  static constexpr int kOddColumn = 16 * kSteps;
};

// Starts to copy packed rows to shared memory; the rest of ROWS rows becomes zero.
template <int N8, int ROWS>
CRIA_GPU void copy_rows(uint32_t to, const bf16 *from, int rows CRIA_PLACE) {
#pragma unroll 1
  for (int i = thread_index(); i < ROWS * N8; i += kAttentionThreads) {
    const int padding = HeadTile<N8>::kOdd ? 0 : i / N8;
    copy_async<16>(shared<bf16>(to + 16 * uint32_t(i + padding)), from + 8 * int64_t(i),
                   i < rows * N8 ? 16 : 0 CRIA_AT_PLACE);
  }
}

// The row that this lane reads for the four matrices of 16 rows x 16 columns: in the order of fragment a, or, transposed,
// of fragments b for two tiles of columns.
template <int N8>
CRIA_GPU Shared<bf16> rows_first(uint32_t at) {
  return shared<bf16>(at +
                      uint32_t(lane_index() % 16 * HeadTile<N8>::kPitch + lane_index() / 16 * 16));
}
// The same in the order of fragments b for two tiles of rows.
template <int N8>
CRIA_GPU Shared<bf16> columns_first(uint32_t at) {
  return shared<bf16>(at +
                      uint32_t((lane_index() / 16 * 8 + lane_index() % 8) * HeadTile<N8>::kPitch +
                               lane_index() / 8 % 2 * 16));
}
// The row that this lane reads for matrices below each other.
template <int N8>
CRIA_GPU Shared<bf16> one_column(uint32_t at) {
  return shared<bf16>(at + uint32_t(lane_index() * HeadTile<N8>::kPitch));
}

// sums += a x, with a the fragment of 16 rows by the 16 rows of x in shared memory.
template <int N8, int MS>
CRIA_GPU void add_products(float (&sums)[MS][N8][4], const uint32_t (&a)[MS][4],
                           uint32_t x CRIA_PLACE) {
  const Shared<bf16> rows = rows_first<N8>(x);
#pragma unroll
  for (int n = 0; n < N8 / 2; ++n) {
    uint32_t r[4];
    load_matrix_transposed(r, rows + 16 * n CRIA_AT_PLACE);
    const uint32_t left[2] = {r[0], r[1]}, right[2] = {r[2], r[3]};
#pragma unroll
    for (int m = 0; m < MS; ++m) {
      mma_16x8x16(sums[m][2 * n], a[m], left CRIA_AT_PLACE);
      mma_16x8x16(sums[m][2 * n + 1], a[m], right CRIA_AT_PLACE);
    }
  }
  if constexpr (HeadTile<N8>::kOdd) {
    uint32_t r[2];
    load_matrix_transposed(r, rows + HeadTile<N8>::kOddColumn CRIA_AT_PLACE);
#pragma unroll
    for (int m = 0; m < MS; ++m) mma_16x8x16(sums[m][N8 - 1], a[m], r CRIA_AT_PLACE);
  }
}

// Two tiles of sums, 16 rows x 16 columns, as the bf16 fragment a of the next product.
CRIA_GPU void as_fragment(const float (&left)[4], const float (&right)[4], uint32_t (&a)[4]) {
  a[0] = pack_bf16(left[0], left[1]);
  a[1] = pack_bf16(left[2], left[3]);
  a[2] = pack_bf16(right[0], right[1]);
  a[3] = pack_bf16(right[2], right[3]);
}

// Writes the first `rows` of 16 rows of sums, times a factor for the upper and one for the lower fragment row, to rows of
// d floats, `stride` apart. They go through 32 * kPitch bytes of shared memory that no other warp uses and no lane still
// reads, since a warp must write whole rows to fill sectors.
template <int N8>
CRIA_GPU void write_rows(const float (&sums)[N8][4], float upper, float lower, uint32_t stage,
                         int rows, int d, bool vectors, float *to, int64_t stride) {
  constexpr int kRow = HeadTile<N8>::kPitch / 2;  // floats
  const Shared<float> staged = shared<float>(stage);
  const Shared<float> own = staged + (lane_index() / 4 * kRow + lane_index() % 4 * 2);
#pragma unroll
  for (int n = 0; n < N8; ++n) {
    own.set_vec(8 * n, Vec<float, 2>{{sums[n][0] * upper, sums[n][1] * upper}});
    own.set_vec(8 * kRow + 8 * n, Vec<float, 2>{{sums[n][2] * lower, sums[n][3] * lower}});
  }
  warp_sync();
  for (int r = 0; r < minimum(rows, 16); ++r) {
    if (vectors) {
      const int column = 4 * lane_index();
      if (column < d) store_vec(to + r * stride + column, staged.vec<4>(r * kRow + column));
    } else {
      for (int column = lane_index(); column < d; column += kWarp)
        store(to + r * stride + column, staged.load(r * kRow + column));
    }
  }
}

}  // namespace cria::gpu
