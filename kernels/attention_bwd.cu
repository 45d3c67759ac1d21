// attention_bwd.cu: the backward pass of attention (FlashAttention-2, Dao 2023).
//
//   p = exp(scale q.k - lse), dp = dout.v, delta = dout.out, ds = p (dp - delta)
//   dv = sum p dout, dk = scale sum ds q, dq = scale sum ds k
//
// One kernel goes by blocks of keys (dk, dv), one by blocks of query rows (dq), so that every sum has one owner and a fixed
// order; both compute p and ds anew. They have the same form: a warp holds its 16 rows of two operands (k and v, or q and
// dout) in registers, and tiles of 64 rows of the other two pass by in shared memory. Scores, p and ds of 16 x 16 stay in
// registers: they are at once the operand of the sums.
#include "attention.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = kAttentionThreads;
constexpr int kRows = 64, kWarpRows = 16;  // of a block and of a tile
constexpr int kDeltaRows = 4, kDeltaHeads = 8;

// What a row needs besides its operands: its lse in base 2, and delta.
using RowStats = Vec<float, 2>;

// dout rounded and packed, and the statistics as [heads][T]. A warp takes 4 rows of 8 heads, so that it reads lse and
// writes the statistics by whole sectors. delta is made of the rounded dout, as dp is: their errors cancel.
template <bool VECTORS>
CRIA_KERNEL(kThreads, 4)
void delta_kernel(int64_t t, int heads, int d, int columns, const float *out, const float *lse,
                  const float *dout, bf16 *packed, RowStats *stats) {
  const int head_blocks = (heads + kDeltaHeads - 1) / kDeltaHeads;
  const int first_head = block_x() % head_blocks * kDeltaHeads;
  const int64_t first =
      (int64_t(block_x() / head_blocks) * (kThreads / kWarp) + warp_index()) * kDeltaRows;
  const int rows = int(minimum(t - first, int64_t{kDeltaRows}));
  const int column = 4 * lane_index();
  float delta = 0;
  for (int h = 0; h < minimum(heads - first_head, kDeltaHeads); ++h) {
    const int head = first_head + h;
    Vec<float, 4> x[kDeltaRows] = {}, y[kDeltaRows] = {};
#pragma unroll
    for (int r = 0; r < kDeltaRows; ++r) {
      if (r < rows) {
        const int64_t at = ((first + r) * heads + head) * d;
        x[r] = load_4<VECTORS>(dout + at, column, d);
        y[r] = load_4<VECTORS>(out + at, column, d);
      }
    }
#pragma unroll
    for (int r = 0; r < kDeltaRows; ++r) {
      const Vec<uint32_t, 2> pairs = pack_4(x[r], 1);
      float sum = low_float(pairs[0]) * y[r][0];
      sum = fmaf(high_float(pairs[0]), y[r][1], sum);
      sum = fmaf(low_float(pairs[1]), y[r][2], sum);
      sum = fmaf(high_float(pairs[1]), y[r][3], sum);
      sum = warp_sum(sum);
      if (lane_index() == kDeltaRows * h + r) delta = sum;
      if (r < rows && column < columns)
        store_vec(reinterpret_cast<uint32_t *>(packed + (head * t + first + r) * columns + column),
                  pairs);
    }
  }
  const int r = lane_index() % kDeltaRows, head = first_head + lane_index() / kDeltaRows;
  if (r < rows && head < heads) {
    const float log = load(lse + (first + r) * heads + head);
    // A row that saw nothing but -inf has p = 0.
    const float log2 = log == -INFINITY ? INFINITY : log * 1.44269504f;
    store(stats + head * t + first + r, RowStats{{log2, delta}});
  }
}

// 16 rows of an operand: fragments a of a warp.
template <int N8>
struct RowFragments {
  uint32_t steps[HeadTile<N8>::kSteps][4];
  uint32_t odd[2];

  CRIA_GPU explicit RowFragments(uint32_t at CRIA_PLACE) {
#pragma unroll
    for (int i = 0; i < HeadTile<N8>::kSteps; ++i)
      load_matrix(steps[i], rows_first<N8>(at) + 16 * i CRIA_AT_PLACE);
    if constexpr (HeadTile<N8>::kOdd)
      load_matrix(odd, rows_first<N8>(at) + HeadTile<N8>::kOddColumn CRIA_AT_PLACE);
  }
};

// s += a x^T, dp += b y^T with 16 rows each of x and y in shared memory.
template <int N8>
CRIA_GPU void add_two_scores(const RowFragments<N8> &a, const RowFragments<N8> &b, uint32_t x,
                             uint32_t y, float (&s)[2][4], float (&dp)[2][4]) {
  using Tile = HeadTile<N8>;
  const auto add = [](const uint32_t(&rows)[4], const uint32_t(&r)[4], float(&sums)[2][4]) {
    const uint32_t left[2] = {r[0], r[1]}, right[2] = {r[2], r[3]};
    mma_16x8x16(sums[0], rows, left);
    mma_16x8x16(sums[1], rows, right);
  };
  const Shared<bf16> xs = columns_first<N8>(x), ys = columns_first<N8>(y);
#pragma unroll
  for (int i = 0; i < Tile::kSteps; ++i) {
    uint32_t r[4];
    load_matrix(r, xs + 16 * i);
    add(a.steps[i], r, s);
    load_matrix(r, ys + 16 * i);
    add(b.steps[i], r, dp);
  }
  if constexpr (Tile::kOdd) {
    const auto add_odd = [](const uint32_t(&rows)[2], const uint32_t(&r)[2], float(&sums)[2][4]) {
      const uint32_t left[1] = {r[0]}, right[1] = {r[1]};
      mma_16x8x8(sums[0], rows, left);
      mma_16x8x8(sums[1], rows, right);
    };
    uint32_t r[2];
    load_matrix(r, rows_first<N8>(x) + Tile::kOddColumn);
    add_odd(a.odd, r, s);
    load_matrix(r, rows_first<N8>(y) + Tile::kOddColumn);
    add_odd(b.odd, r, dp);
  }
}

// Two stages of two tiles of 64 rows; with the statistics of query rows behind them where the tiles are of queries.
template <int N8, bool STATS>
struct Stages {
  static constexpr uint32_t kTile = kRows * HeadTile<N8>::kPitch;
  static constexpr uint32_t kStage = 2 * kTile + (STATS ? kRows * sizeof(RowStats) : 0);
  static CRIA_GPU uint32_t at(int i) { return uint32_t(i % 2) * kStage; }
};

// The tiles of query rows that see keys of a block: for each head of the group, for each view.
class Queries {
 public:
  CRIA_GPU Queries(const KeyBlock &block, const View *views, int group)
      : block_(block), views_(views), group_(group) {
    if (block.views == 0) head_ = group;
    if (!done()) look();
  }
  CRIA_GPU bool done() const { return head_ == group_; }
  CRIA_GPU int head() const { return head_; }
  CRIA_GPU int row() const { return row_; }
  CRIA_GPU int rows() const { return minimum(end_ - row_, kRows); }
  // Query row r of the tile sees keys low .. high of the block up to number r + last.
  CRIA_GPU int low() const { return low_; }
  CRIA_GPU int high() const { return high_; }
  CRIA_GPU int last() const { return view_ == 0 ? row_ - block_.row : kRows; }

  CRIA_GPU void next() {
    row_ += kRows;
    while (row_ >= end_ && !done()) {
      if (++view_ == block_.views) {
        view_ = 0;
        ++head_;
      }
      if (!done()) look();
    }
  }

 private:
  // View 0 is the sequence itself, of which the rows in front of the block see none of its keys.
  CRIA_GPU void look() {
    const Vec<int32_t, 4> v =
        load_vec<4>(reinterpret_cast<const int32_t *>(views_ + block_.first_view + view_));
    low_ = maximum(v[2] - block_.position, 0);
    high_ = minimum(v[3] - block_.position, kRows);
    row_ = view_ == 0 ? block_.row : v[0];
    end_ = low_ < high_ ? v[0] + v[1] : row_;
  }

  const KeyBlock &block_;
  const View *views_;
  const int group_;
  int head_ = 0, view_ = 0;
  int row_ = 0, end_ = 0, low_ = 0, high_ = 0;
};

CRIA_GPU KeyBlock load_block(const KeyBlock *at) {
  const auto *p = reinterpret_cast<const int32_t *>(at);
  const Vec<int32_t, 4> a = load_vec<4>(p);
  return {a[0], a[1], a[2], a[3], load(p + 4)};
}

// dk and dv of 64 keys of one head, by scores transposed: their rows are keys.
template <int N8>
CRIA_KERNEL(kThreads, 2)
void keys_kernel(int64_t t, int heads, int group, int d, float base_2, float scale, bool vectors,
                 const KeyBlock *blocks, const View *views, const bf16 *q, const bf16 *k,
                 const bf16 *v, const bf16 *dout, const RowStats *stats, float *dk, float *dv) {
  using Tile = HeadTile<N8>;
  using Stage = Stages<N8, true>;
  const int kv_heads = heads / group, kv_head = block_x() % kv_heads;
  const KeyBlock block = load_block(blocks + block_x() / kv_heads);
  const int first = warp_index() * kWarpRows;
  const uint32_t own = uint32_t(first * Tile::kPitch);

  const auto fetch = [&](const Queries &tile, uint32_t to) {
    const int64_t row = int64_t(kv_head * group + tile.head()) * t + tile.row();
    copy_rows<N8, kRows>(to, q + row * Tile::kColumns, tile.rows());
    copy_rows<N8, kRows>(to + Stage::kTile, dout + row * Tile::kColumns, tile.rows());
    const int i = thread_index();
    if (i < kRows)
      copy_async<8>(shared<RowStats>(to + 2 * Stage::kTile) + i, stats + row + i,
                    i < tile.rows() ? 8 : 0);
    copy_async_commit();
  };

  float dk_sums[1][N8][4] = {}, dv_sums[1][N8][4] = {};
  Queries tiles(block, views, group);
  int stage = 0;
  if (!tiles.done()) {
    // Keys and values come by way of the second stage.
    const int64_t row = kv_head * t + block.row;
    copy_rows<N8, kRows>(Stage::at(1), k + row * Tile::kColumns, block.rows);
    copy_rows<N8, kRows>(Stage::at(1) + Stage::kTile, v + row * Tile::kColumns, block.rows);
    copy_async_commit();
    fetch(tiles, Stage::at(0));
    copy_async_wait<1>();
    block_sync();
    const RowFragments<N8> keys(Stage::at(1) + own), values(Stage::at(1) + Stage::kTile + own);
    while (!tiles.done()) {
      const int low = tiles.low(), high = tiles.high(), last = tiles.last(), rows = tiles.rows();
      const uint32_t queries = Stage::at(stage++), douts = queries + Stage::kTile;
      copy_async_wait<0>();
      block_sync();
      tiles.next();
      if (!tiles.done()) fetch(tiles, Stage::at(stage));
#pragma unroll 1
      for (int at = 0; at < rows; at += 16) {
        if (first >= high || first + kWarpRows <= low || first > at + 15 + last) continue;
        const uint32_t offset = uint32_t(at * Tile::kPitch);
        float s[2][4] = {}, dp[2][4] = {};
        add_two_scores(keys, values, queries + offset, douts + offset, s, dp);
        if (first < low || first + kWarpRows > high || first + kWarpRows - 1 > at + last) {
#pragma unroll
          for (int i = 0; i < 8; ++i) {
            const int key = first + lane_index() / 4 + i % 4 / 2 * 8;
            const int query = at + i / 4 * 8 + lane_index() % 4 * 2 + i % 2;
            if (key < low || key >= high || key > query + last) s[i / 4][i % 4] = -INFINITY;
          }
        }
        uint32_t fragment[1][4];
        Vec<float, 4> of_columns[2];
#pragma unroll
        for (int n = 0; n < 2; ++n) {
          of_columns[n] = shared<float>(queries + 2 * Stage::kTile)
                              .template vec<4>(2 * (at + 8 * n + lane_index() % 4 * 2));
#pragma unroll
          for (int e = 0; e < 4; ++e)
            s[n][e] = exp2_approx(fmaf(s[n][e], base_2, -of_columns[n][e % 2 * 2]));
        }
        as_fragment(s[0], s[1], fragment[0]);
        add_products<N8, 1>(dv_sums, fragment, douts + offset);
#pragma unroll
        for (int n = 0; n < 2; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e)
            dp[n][e] = s[n][e] * (dp[n][e] - of_columns[n][e % 2 * 2 + 1]);
        }
        as_fragment(dp[0], dp[1], fragment[0]);
        add_products<N8, 1>(dk_sums, fragment, queries + offset);
      }
    }
  }

  // The stage that was not used last is free.
  const uint32_t free_rows = Stage::at(stage) + 2 * own;
  const int64_t stride = int64_t(kv_heads) * d;
  const int64_t at = (block.row + first) * stride + kv_head * d;
  write_rows<N8>(dv_sums[0], 1, 1, free_rows, block.rows - first, d, vectors, dv + at, stride);
  warp_sync();
  write_rows<N8>(dk_sums[0], scale, scale, free_rows, block.rows - first, d, vectors, dk + at,
                 stride);
}

// dq of 64 query rows of one head.
template <int N8>
CRIA_KERNEL(kThreads, N8 > 13 ? 2 : 3)
void queries_kernel(int64_t t, int heads, int group, int d, float base_2, float scale, bool vectors,
                    const QueryBlock *blocks, const bf16 *q, const bf16 *k, const bf16 *v,
                    const bf16 *dout, const RowStats *stats, float *dq) {
  using Tile = HeadTile<N8>;
  using Stage = Stages<N8, false>;
  const int head = block_x() % heads;
  const QueryBlock block = load_block(blocks + block_x() / heads);
  const int first = warp_index() * kWarpRows;
  const uint32_t own = uint32_t(first * Tile::kPitch);

  const auto fetch = [&](int i) {
    const KeyTile tile = key_tile<kRows>(block, i);
    const int64_t at = (head / group * t + tile.row) * Tile::kColumns;
    copy_rows<N8, kRows>(Stage::at(i), k + at, tile.rows);
    copy_rows<N8, kRows>(Stage::at(i) + Stage::kTile, v + at, tile.rows);
    copy_async_commit();
  };

  float sums[1][N8][4] = {};
  const int tiles = key_tiles<kRows>(block);
  if (tiles > 0) {
    // Queries and output gradients come by way of the second stage.
    const int64_t row = head * t + block.row;
    copy_rows<N8, kRows>(Stage::at(1), q + row * Tile::kColumns, block.rows);
    copy_rows<N8, kRows>(Stage::at(1) + Stage::kTile, dout + row * Tile::kColumns, block.rows);
    copy_async_commit();
    fetch(0);
    RowStats of_row[2] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int r = first + lane_index() / 4 + 8 * half;
      if (r < block.rows) of_row[half] = load(stats + row + r);
    }
    copy_async_wait<1>();
    block_sync();
    const RowFragments<N8> queries(Stage::at(1) + own), douts(Stage::at(1) + Stage::kTile + own);
    for (int i = 0; i < tiles; ++i) {
      copy_async_wait<0>();
      block_sync();
      if (i + 1 < tiles) fetch(i + 1);
      const KeyTile tile = key_tile<kRows>(block, i);
      const int sees_all = tile.limit + tile.step * first;  // keys that the first row sees
      const int sees = first < block.rows ? tile.limit + tile.step * (first + kWarpRows - 1) : 0;
#pragma unroll 1
      for (int at = 0; at < minimum(sees, tile.rows); at += 16) {
        const uint32_t keys = Stage::at(i) + uint32_t(at * Tile::kPitch);
        float s[2][4] = {}, dp[2][4] = {};
        add_two_scores(queries, douts, keys, keys + Stage::kTile, s, dp);
        if (at + 16 > sees_all) {
#pragma unroll
          for (int e = 0; e < 8; ++e) {
            const int row_sees =
                tile.limit + tile.step * (first + lane_index() / 4 + e % 4 / 2 * 8);
            const int key = at + e / 4 * 8 + lane_index() % 4 * 2 + e % 2;
            if (key >= row_sees) s[e / 4][e % 4] = -INFINITY;
          }
        }
#pragma unroll
        for (int n = 0; n < 2; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const float p = exp2_approx(fmaf(s[n][e], base_2, -of_row[e / 2][0]));
            dp[n][e] = p * (dp[n][e] - of_row[e / 2][1]);
          }
        }
        uint32_t ds[1][4];
        as_fragment(dp[0], dp[1], ds[0]);
        add_products<N8, 1>(sums, ds, keys);
      }
    }
  }

  const int64_t stride = int64_t(heads) * d;
  write_rows<N8>(sums[0], scale, scale, Stage::at(tiles) + 2 * own, block.rows - first, d, vectors,
                 dq + (block.row + first) * stride + head * d, stride);
}

}  // namespace

cria_status attention_bwd(cria_queue *handle, int64_t t, int64_t heads, int64_t kv_heads, int64_t d,
                          int64_t sequence_count, const int32_t *sequences, float scale, cria_dtype,
                          const float *q, const float *k, const float *v, const float *out,
                          const float *lse, const float *dout, float *dq, float *dk, float *dv) {
  GpuQueue &queue = queue_of(handle);
  const PackedSequences packed("attention_bwd", t, sequence_count, sequences);
  const std::vector<QueryBlock> query_plan = query_blocks(packed, kRows);
  const KeyPlan plan = key_plan(packed, kRows);
  const Table<QueryBlock> query_table(queue, query_plan);
  const Table<KeyBlock> key_table(queue, plan.blocks);
  const Table<View> views(queue, plan.views);
  const int64_t group = heads / kv_heads;
  const ScoreScale factors(scale);
  with_head_width(d, [&](auto n8) {
    using Tile = HeadTile<n8>;
    const PackedHeads queries(queue, t, heads, d, Tile::kColumns, factors.query, q);
    const PackedHeads keys(queue, t, kv_heads, d, Tile::kColumns, 1, k);
    const PackedHeads values(queue, t, kv_heads, d, Tile::kColumns, 1, v);
    const Scratch douts(queue, t * heads * Tile::kColumns * int64_t(sizeof(bf16)));
    const Scratch stats(queue, t * heads * int64_t(sizeof(RowStats)));
    const int64_t delta_blocks = divide_up(t, kDeltaRows * (kThreads / kWarp));
    launch(queue, "attention_delta",
           vectors_of_4(d, {dout, out}) ? &delta_kernel<true> : &delta_kernel<false>,
           {delta_blocks * divide_up(heads, kDeltaHeads)}, kThreads, 0, t, heads, d, Tile::kColumns,
           out, lse, dout, douts.as<bf16>(), stats.as<RowStats>());
    // dk is made of queries that carry the sign of the scale.
    launch(queue, "attention_bwd_keys", &keys_kernel<n8>, {int64_t(plan.blocks.size()) * kv_heads},
           kThreads, 2 * Stages<n8, true>::kStage, t, heads, group, d, factors.base_2, fabsf(scale),
           vectors_of_4(d, {dk, dv}), key_table.data(), views.data(), queries.data(), keys.data(),
           values.data(), douts.as<bf16>(), stats.as<RowStats>(), dk, dv);
    launch(queue, "attention_bwd_queries", &queries_kernel<n8>,
           {int64_t(query_plan.size()) * heads}, kThreads, 2 * Stages<n8, false>::kStage, t, heads,
           group, d, factors.base_2, scale, vectors_of_4(d, {dq}), query_table.data(),
           queries.data(), keys.data(), values.data(), douts.as<bf16>(), stats.as<RowStats>(), dq);
  });
  return CRIA_OK;
}

}  // namespace cria::gpu
