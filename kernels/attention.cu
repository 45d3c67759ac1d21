// attention.cu: packing of heads, and the forward pass of causal attention over packed sequences in flash form
// (FlashAttention-2, Dao 2023).
//
// A thread block takes 128 query rows of one head, a warp 32 of them. It walks over tiles of keys and values, of which the
// next arrives while one is worked on; scores, softmax and weighted sums of a tile stay in registers.
#include "attention.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = kAttentionThreads;
constexpr int kRows = 128, kWarpRows = 32;
// Keys in a tile; fewer where the sums of wide heads leave no more registers.
template <int N8>
constexpr int kKeys = N8 > 13 ? 32 : 64;
constexpr int kPackRows = 64, kPackThreads = 256;

template <bool VECTORS>
CRIA_KERNEL(kPackThreads, 4)
void pack_kernel(int64_t t, int heads, int d, int columns, float factor, const float *x,
                 bf16 *packed) {
  const int head = block_x() % heads;
  const int64_t first = int64_t(block_x() / heads) * kPackRows;
  const int rows = int(minimum(t - first, int64_t{kPackRows})), quads = columns / 4;
  for (int i = thread_index(); i < rows * quads; i += kPackThreads) {
    const int64_t row = first + i / quads;
    const int column = i % quads * 4;
    const Vec<float, 4> v = load_4<VECTORS>(x + (row * heads + head) * d, column, d);
    store_vec(reinterpret_cast<uint32_t *>(packed + (head * t + row) * columns + column),
              pack_4(v, factor));
  }
}

// s += q k^T of 32 query rows and KEY8 tiles of 8 keys in shared memory.
template <int N8, int KEY8>
CRIA_GPU void add_scores(uint32_t queries, uint32_t keys, float (&s)[2][KEY8][4]) {
  using Tile = HeadTile<N8>;
  constexpr int kRow = Tile::kPitch / 2;  // elements
  const Shared<bf16> q = rows_first<N8>(queries), k = columns_first<N8>(keys);
#pragma unroll
  for (int step = 0; step < Tile::kSteps; ++step) {
    uint32_t a[2][4];
    load_matrix(a[0], q + 16 * step);
    load_matrix(a[1], q + (16 * kRow + 16 * step));
#pragma unroll
    for (int n = 0; n < KEY8 / 2; ++n) {
      uint32_t r[4];
      load_matrix(r, k + (16 * n * kRow + 16 * step));
      const uint32_t left[2] = {r[0], r[1]}, right[2] = {r[2], r[3]};
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        mma_16x8x16(s[m][2 * n], a[m], left);
        mma_16x8x16(s[m][2 * n + 1], a[m], right);
      }
    }
  }
  if constexpr (Tile::kOdd) {
    uint32_t r[4];
    load_matrix(r, one_column<N8>(queries) + Tile::kOddColumn);
    const uint32_t a[2][2] = {{r[0], r[1]}, {r[2], r[3]}};
#pragma unroll
    for (int n = 0; n < KEY8; n += 4) {
      load_matrix(r, one_column<N8>(keys) + (8 * n * kRow + Tile::kOddColumn));
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const uint32_t b[1] = {r[i]};
        mma_16x8x8(s[0][n + i], a[0], b);
        mma_16x8x8(s[1][n + i], a[1], b);
      }
    }
  }
}

// Scores of keys that a row does not see become -inf; first: the warp's first row.
template <int KEY8>
CRIA_GPU void hide(const KeyTile &tile, int first, float (&s)[2][KEY8][4]) {
  const int row = first + lane_index() / 4, column = lane_index() % 4 * 2;
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int n = 0; n < KEY8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int seen = tile.limit + tile.step * (row + 16 * m + e / 2 * 8);
        if (8 * n + column + e % 2 >= seen) s[m][n][e] = -INFINITY;
      }
    }
  }
}

// The running softmax of the rows g, g + 8, g + 16, g + 24 of a warp.
struct Rows {
  float top[4];  // largest score so far
  float sum[4];  // this lane's part of the sum of 2^(scale (score - top))
};

// One step: p = 2^(scale (score - top)) as fragments a of 16 keys each; what was summed so far shrinks as the maxima rise.
template <int N8, int KEY8>
CRIA_GPU void softmax(float scale, const float (&s)[2][KEY8][4], Rows &rows, float (&o)[2][N8][4],
                      uint32_t (&p)[KEY8 / 2][2][4]) {
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int i = 2 * m + half, e = 2 * half;
      float top = rows.top[i];
#pragma unroll
      for (int n = 0; n < KEY8; ++n) top = fmaxf(top, fmaxf(s[m][n][e], s[m][n][e + 1]));
      top = fmaxf(top, shuffle_xor(top, 1));
      top = fmaxf(top, shuffle_xor(top, 2));
      // Where all scores are -inf, every power below must be 0, not "not a number".
      const float base = top == -INFINITY ? 0.0f : top * scale;
      const float keep = exp2_approx(fmaf(rows.top[i], scale, -base));
      float sum = 0;
#pragma unroll
      for (int n = 0; n < KEY8; ++n) {
        const float left = exp2_approx(fmaf(s[m][n][e], scale, -base));
        const float right = exp2_approx(fmaf(s[m][n][e + 1], scale, -base));
        sum += left + right;
        p[n / 2][m][n % 2 * 2 + half] = pack_bf16(left, right);
      }
      rows.top[i] = top;
      rows.sum[i] = fmaf(rows.sum[i], keep, sum);
#pragma unroll
      for (int n = 0; n < N8; ++n) {
        o[m][n][e] *= keep;
        o[m][n][e + 1] *= keep;
      }
    }
  }
}

// Shared memory: queries, then two stages of keys and values.
template <int N8>
CRIA_KERNEL(kThreads, 2)
void attention_kernel(int64_t t, int heads, int group, int d, float scale, bool vectors,
                      const QueryBlock *blocks, const bf16 *q, const bf16 *k, const bf16 *v,
                      float *out, float *lse) {
  using Tile = HeadTile<N8>;
  constexpr int KEYS = kKeys<N8>;
  constexpr uint32_t kValues = KEYS * Tile::kPitch;  // in a stage
  // Read anew for each tile: registers are short.
  const auto load_own_block = [&] { return load_block(blocks + block_x() / heads); };
  const int head = block_x() % heads;
  const int64_t key_head = head / group * t * Tile::kColumns;
  const auto stage = [](int i) { return uint32_t((kRows + i % 2 * 2 * KEYS) * Tile::kPitch); };
  const auto fetch = [&](const QueryBlock &block, int i) {
    const KeyTile tile = key_tile<KEYS>(block, i);
    const int64_t at = key_head + int64_t(tile.row) * Tile::kColumns;
    copy_rows<N8, KEYS>(stage(i), k + at, tile.rows);
    copy_rows<N8, KEYS>(stage(i) + kValues, v + at, tile.rows);
    copy_async_commit();
  };
  const int first = warp_index() * kWarpRows;
  const uint32_t queries = uint32_t(first * Tile::kPitch);

  float o[2][N8][4] = {};
  Rows rows = {{-INFINITY, -INFINITY, -INFINITY, -INFINITY}, {}};
  {
    const QueryBlock block = load_own_block();
    if (key_tiles<KEYS>(block) > 0) {
      copy_rows<N8, kRows>(0, q + (head * t + block.row) * Tile::kColumns, block.rows);
      fetch(block, 0);
    }
  }
  for (int i = 0; i < key_tiles<KEYS>(load_own_block()); ++i) {
    copy_async_wait<0>();
    block_sync();
    const QueryBlock block = load_own_block();
    const KeyTile tile = key_tile<KEYS>(block, i);
    const bool sees = first < block.rows && tile.limit + tile.step * (first + kWarpRows - 1) > 0;
    if (i + 1 < key_tiles<KEYS>(block)) fetch(block, i + 1);
    if (sees) {
      float s[2][KEYS / 8][4] = {};
      add_scores<N8>(queries, stage(i), s);
      if (tile.limit + tile.step * first < KEYS) hide(tile, first, s);
      uint32_t p[KEYS / 16][2][4];
      softmax(scale, s, rows, o, p);
#pragma unroll
      for (int step = 0; step < KEYS / 16; ++step)
        add_products<N8, 2>(o, p[step], stage(i) + kValues + uint32_t(16 * step * Tile::kPitch));
    }
  }

  // The warp has read its queries: their place serves to write its rows.
  const QueryBlock block = load_own_block();
#pragma unroll
  for (int m = 0; m < 2; ++m) {
    float factor[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int i = 2 * m + half, row = first + 16 * m + 8 * half + lane_index() / 4;
      float sum = rows.sum[i];
      sum += shuffle_xor(sum, 1);
      sum += shuffle_xor(sum, 2);
      factor[half] = sum == 0 ? 0.0f : 1.0f / sum;
      if (lane_index() % 4 == 0 && row < block.rows) {
        const float log = fmaf(rows.top[i] * scale, 0.693147181f, logf(sum));
        store(lse + int64_t(block.row + row) * heads + head, sum == 0 ? -INFINITY : log);
      }
    }
    const int row = first + 16 * m;
    const int64_t stride = int64_t(heads) * d;
    warp_sync();
    write_rows<N8>(o[m], factor[0], factor[1], queries, block.rows - row, d, vectors,
                   out + (block.row + row) * stride + head * d, stride);
  }
}

}  // namespace

PackedHeads::PackedHeads(GpuQueue &queue, int64_t t, int64_t heads, int64_t d, int columns,
                         float factor, const float *x)
    : Scratch(queue, t * heads * columns * int64_t(sizeof(bf16))) {
  const auto kernel = vectors_of_4(d, {x}) ? &pack_kernel<true> : &pack_kernel<false>;
  launch(queue, "attention_pack", kernel, {divide_up(t, kPackRows) * heads}, kPackThreads, 0, t,
         heads, d, columns, factor, x, as<bf16>());
}

cria_status attention(cria_queue *handle, int64_t t, int64_t heads, int64_t kv_heads, int64_t d,
                      int64_t sequence_count, const int32_t *sequences, float scale, cria_dtype,
                      const float *q, const float *k, const float *v, float *out, float *lse) {
  GpuQueue &queue = queue_of(handle);
  const PackedSequences packed("attention", t, sequence_count, sequences);
  const std::vector<QueryBlock> blocks = query_blocks(packed, kRows);
  const Table<QueryBlock> table(queue, blocks);
  const ScoreScale factors(scale);
  with_head_width(d, [&](auto n8) {
    using Tile = HeadTile<n8>;
    const PackedHeads queries(queue, t, heads, d, Tile::kColumns, factors.query, q);
    const PackedHeads keys(queue, t, kv_heads, d, Tile::kColumns, 1, k);
    const PackedHeads values(queue, t, kv_heads, d, Tile::kColumns, 1, v);
    launch(queue, "attention", &attention_kernel<n8>, {int64_t(blocks.size()) * heads}, kThreads,
           (kRows + 4 * kKeys<n8>)*Tile::kPitch, t, heads, heads / kv_heads, d, factors.base_2,
           vectors_of_4(d, {out}), table.data(), queries.data(), keys.data(), values.data(), out,
           lse);
  });
  return CRIA_OK;
}

}  // namespace cria::gpu
