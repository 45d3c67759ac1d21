// lora.cu: the narrow products of LoRA: a long matrix q ([M,K] inputs or [M,N] gradients, read once, with dropout) times a
// narrow one, [M,C] x [C,R] for t and u, and the reduction over rows [R,M] x [M,C] for da and db.
//
// Bound by reading q, so tensor cores do the sums in split floats. Warps of a block share a tile of the output and deal
// the reduction among them; blocks do so too where the output alone gives too few. Partial sums are added in order.
#include "lora.h"

#include "device/device.h"
#include "host/launch.h"
#include "pack.h"
#include "split.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int kDepth = 16;          // of a step
constexpr int kWantedBlocks = 256;  // enough for any GPU; results must not depend on which

// The long matrix.
struct Long {
  const float *data;
  int64_t rows, columns;
  Dropout dropout;
  bool vectors;  // rows may be read as vectors of 4

  CRIA_GPU Four at(int64_t row, int64_t column) const {
    if (row >= rows) return Four{};
    const int64_t i = row * columns + column;
    Four v = load_four(data + i, columns - column, vectors);
    if (dropout.threshold > 0) {
#pragma unroll
      for (int j = 0; j < 4; ++j) v[j] *= dropout.of(uint64_t(i + j));
    }
    return v;
  }
};

// The narrow matrix, [ranks, length]: element (r, i) at r * rank_stride + i * stride, one of which is 1.
struct Narrow {
  const float *data;
  int64_t ranks, length;
  int64_t rank_stride, stride;
  bool vectors;  // stride is 1 and runs of 4 are aligned

  CRIA_GPU Four at(int64_t rank, int64_t i) const {
    if (rank >= ranks) return Four{};
    const float *p = data + rank * rank_stride + i * stride;
    return stride == 1 ? load_four(p, length - i, vectors)
                       : load_four_across(p, stride, length - i);
  }
};

Narrow by_rank(const float *data, int64_t ranks, int64_t length) {
  return {data, ranks, length, length, 1, vectors_of_4(length, {data})};
}

Narrow by_element(const float *data, int64_t ranks, int64_t length) {
  return {data, ranks, length, 1, ranks, false};
}

// Steps are dealt to `splits` blocks (z) and there to `count` warps.
struct Share {
  int64_t begin, end;
  CRIA_GPU Share(int64_t steps, int splits) {
    const int64_t per = divide_up(steps, splits);
    begin = block_z() * per;
    end = minimum(begin + per, steps);
  }
};

// ---- [M,C] x [C,R]

constexpr int kRowGroups = 2;                       // of warps; the others deal the steps
constexpr int kRowTiles = 2;                        // of 16 rows, of a warp
constexpr int kRows = kRowGroups * kRowTiles * 16;  // of a block
constexpr int kDealers = kWarps / kRowGroups;

// out [M,R] = factor * q v^T, or a part of it at out + z * M * R. TILES of 8 ranks. packed, if given: q as by pack_rows.
template <int TILES>
CRIA_KERNEL(kThreads, 1)
void project_kernel(Long q, Narrow v, float factor, float *out, bf16 *packed) {
  const int lane = lane_index(), g = lane / 4, t = lane % 4;
  const int group = warp_index() % kRowGroups, dealer = warp_index() / kRowGroups;
  const int64_t row0 = int64_t(block_x()) * kRows + group * kRowTiles * 16;
  const int64_t rank0 = int64_t(block_y()) * TILES * 8;
  const int64_t pitch = packed_pitch(q.columns);
  const Share share(divide_up(packed ? pitch : q.columns, kDepth), grid_z());
  float sums[kRowTiles][TILES][4] = {};
  for (int64_t step = share.begin + dealer; step < share.end; step += kDealers) {
    const int64_t column = step * kDepth + t * 4;
    Four rows[kRowTiles][2];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        rows[i][half] = q.at(row0 + i * 16 + half * 8 + g, column);
      }
    }
    Split<2> b[TILES];
#pragma unroll
    for (int j = 0; j < TILES; ++j) b[j] = split_column(v.at(rank0 + j * 8 + g, column));
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      const Split<4> a = split_rows(rows[i][0], rows[i][1]);
#pragma unroll
      for (int j = 0; j < TILES; ++j) mma_split(sums[i][j], a, b[j]);
      if (!packed || block_y() > 0) continue;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int64_t row = row0 + i * 16 + half * 8 + g;
        if (row >= q.rows) continue;
        auto *to = reinterpret_cast<uint32_t *>(packed + row * pitch + column);
        store_vec(to, Vec<uint32_t, 2>{{a.part[0][half], a.part[0][2 + half]}});
      }
    }
  }

  // Partial sums [dealer][rank tile][row][8].
  const Shared<float> partial = shared<float>(0);
  constexpr int kTileSums = kRows * 8, kSums = TILES * kTileSums;
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
    for (int j = 0; j < TILES; ++j) {
      const int at = dealer * kSums + j * kTileSums + (group * kRowTiles * 16 + i * 16 + g) * 8;
      partial.set_vec(at + t * 2, Vec<float, 2>{{sums[i][j][0], sums[i][j][1]}});
      partial.set_vec(at + 64 + t * 2, Vec<float, 2>{{sums[i][j][2], sums[i][j][3]}});
    }
  }
  block_sync();
  out += block_z() * q.rows * v.ranks;
  for (int i = thread_index(); i < kSums; i += kThreads) {
    const int64_t row = int64_t(block_x()) * kRows + i % kTileSums / 8;
    const int64_t rank = rank0 + i / kTileSums * 8 + i % 8;
    if (row >= q.rows || rank >= v.ranks) continue;
    float sum = partial.load(i);
    for (int d = 1; d < kDealers; ++d) sum += partial.load(d * kSums + i);
    store(out + row * v.ranks + rank, sum * factor);
  }
}

// ---- [R,M] x [M,C]

constexpr int kColumns = 64;  // of a block

// out (r, c) += factor * sum over m of p (r, m) q (m, c); or a part of it, without adding, at out + z * R * C. TILES of 16
// ranks. Lane g owns columns of q so that in the end lane t has, for each rank, two runs of 4 columns, and the quad 16
// neighbours in each.
template <int TILES>
CRIA_KERNEL(kThreads, 1)
void reduce_rows_kernel(Long q, Narrow p, float factor, bool add, int64_t rank_stride,
                        int64_t column_stride, bool out_vectors, float *out) {
  constexpr int kGroups = kColumns / 32;
  const int lane = lane_index(), g = lane / 4, t = lane % 4;
  const int64_t column0 = int64_t(block_x()) * kColumns;
  const int64_t rank0 = int64_t(block_y()) * TILES * 16;
  const Share share(divide_up(q.rows, kDepth), grid_z());
  float sums[TILES][kGroups][4][4] = {};
  for (int64_t step = share.begin + warp_index(); step < share.end; step += kWarps) {
    const int64_t m = step * kDepth + t * 4;
    Split<4> a[TILES];
#pragma unroll
    for (int i = 0; i < TILES; ++i) {
      const int64_t rank = rank0 + i * 16 + g;
      a[i] = split_rows(p.at(rank, m), p.at(rank + 8, m));
    }
#pragma unroll
    for (int k = 0; k < kGroups; ++k) {
      const int64_t column = column0 + k * 32 + g / 2 * 4 + g % 2 * 16;
      Four rows[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        rows[i] = column < q.columns ? q.at(m + i, column) : Four{};
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const Split<2> b = split_column(Four{{rows[0][j], rows[1][j], rows[2][j], rows[3][j]}});
#pragma unroll
        for (int i = 0; i < TILES; ++i) mma_split(sums[i][k][j], a[i], b);
      }
    }
  }

  // Partial sums of each warp, as they lie: [warp][register / 4][lane][4].
  constexpr int kVectors = TILES * kGroups * 4;
  const Shared<float> partial = shared<float>(0);
#pragma unroll
  for (int i = 0; i < TILES; ++i) {
#pragma unroll
    for (int k = 0; k < kGroups; ++k) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int vector = (i * kGroups + k) * 4 + e;
        partial.set_vec(
            (warp_index() * kVectors + vector) * kWarp * 4 + lane * 4,
            Four{{sums[i][k][0][e], sums[i][k][1][e], sums[i][k][2][e], sums[i][k][3][e]}});
      }
    }
  }
  block_sync();
  if (!add) out += block_z() * q.columns * p.ranks;
  for (int vector = warp_index(); vector < kVectors; vector += kWarps) {
    Four sum = partial.vec<4>(vector * kWarp * 4 + lane * 4);
    for (int w = 1; w < kWarps; ++w) {
      const Four other = partial.vec<4>((w * kVectors + vector) * kWarp * 4 + lane * 4);
      for (int j = 0; j < 4; ++j) sum[j] += other[j];
    }
    // Register e of the sums: rank g + 8 (e / 2), column 2t + e % 2 of each tile.
    const int e = vector % 4, k = vector / 4 % kGroups, i = vector / 4 / kGroups;
    const int64_t rank = rank0 + i * 16 + g + e / 2 * 8;
    const int64_t column = column0 + k * 32 + e % 2 * 16 + t * 4;
    if (rank >= p.ranks || column >= q.columns) continue;
    float *to = out + rank * rank_stride + column * column_stride;
    if (out_vectors) {
      const Four old = add ? load_vec<4>(to) : Four{};
      for (int j = 0; j < 4; ++j) sum[j] = old[j] + factor * sum[j];
      store_vec(to, sum);
    } else {
      for (int j = 0; j < 4; ++j) {
        if (column + j >= q.columns) break;
        float *place = to + j * column_stride;
        store(place, (add ? load(place) : 0.0f) + factor * sum[j]);
      }
    }
  }
}

// out = (add ? out : 0) + the sum of `parts` arrays of n.
CRIA_KERNEL(kThreads, 4)
void add_parts_kernel(int64_t n, int parts, const float *partial, bool add, float *out) {
  const int64_t i = int64_t(block_x()) * kThreads + thread_index();
  if (i >= n) return;
  float sum = load(partial + i);
  for (int p = 1; p < parts; ++p) sum += load(partial + p * n + i);
  store(out + i, add ? load(out + i) + sum : sum);
}

// How many blocks deal the steps of one tile of the output: so many that there is work for a GPU, each warp keeping two
// steps.
int64_t splits_for(int64_t tiles, int64_t steps, int dealers) {
  const int64_t most = divide_up(steps, 2 * dealers);
  return maximum(int64_t{1}, minimum(most, kWantedBlocks / maximum(tiles, int64_t{1})));
}

// Calls part(out, splits) with memory for that many parts of n values, and adds them up.
template <class Part>
void in_parts(GpuQueue &queue, int64_t n, int64_t splits, bool add, float *out, Part part) {
  const Scratch scratch(queue, splits * n * 4);
  part(scratch.as<float>());
  launch(queue, "lora_add_parts", &add_parts_kernel, {divide_up(n, kThreads)}, kThreads, 0, n,
         splits, scratch.as<float>(), add, out);
}

// out [M,R] = factor * q v^T
void project(GpuQueue &queue, const Long &q, const Narrow &v, float factor, float *out,
             bf16 *packed) {
  const int tiles = v.ranks <= 16 ? 2 : 4;
  const auto kernel = tiles == 2 ? &project_kernel<2> : &project_kernel<4>;
  Grid grid{divide_up(q.rows, kRows), divide_up(v.ranks, tiles * 8)};
  grid.z = splits_for(grid.x * grid.y, divide_up(q.columns, kDepth), kDealers);
  const auto run = [&](float *to) {
    launch(queue, "lora_project", kernel, grid, kThreads, kDealers * kRows * tiles * 8 * 4, q, v,
           factor, to, packed);
  };
  if (grid.z == 1) {
    run(out);
  } else {
    in_parts(queue, q.rows * v.ranks, grid.z, false, out, run);
  }
}

// out (r, c) += factor * p q
void reduce_rows(GpuQueue &queue, const Long &q, const Narrow &p, float factor, int64_t rank_stride,
                 int64_t column_stride, float *out) {
  const int tiles = p.ranks <= 16 ? 1 : 2;
  const auto kernel = tiles == 1 ? &reduce_rows_kernel<1> : &reduce_rows_kernel<2>;
  Grid grid{divide_up(q.columns, kColumns), divide_up(p.ranks, tiles * 16)};
  grid.z = splits_for(grid.x * grid.y, divide_up(q.rows, kDepth), kWarps);
  const auto run = [&](float *to, bool add) {
    const bool vectors = column_stride == 1 && vectors_of_4(q.columns, {to});
    launch(queue, "lora_reduce_rows", kernel, grid, kThreads, kWarps * tiles * 16 * kColumns * 4, q,
           p, factor, add, rank_stride, column_stride, vectors, to);
  };
  if (grid.z == 1) {
    run(out, true);
  } else {
    in_parts(queue, q.columns * p.ranks, grid.z, true, out, [&](float *to) { run(to, false); });
  }
}

Long long_of(const float *data, int64_t rows, int64_t columns, Dropout dropout) {
  return {data, rows, columns, dropout, vectors_of_4(columns, {data})};
}

}  // namespace

void lora_t(GpuQueue &queue, int64_t m, int64_t k, const Adapter &lora, const float *x, float *t) {
  project(queue, long_of(x, m, k, lora.dropout), by_rank(lora.a, lora.rank, k), 1, t, nullptr);
}

void lora_u(GpuQueue &queue, int64_t m, int64_t n, const Adapter &lora, const float *dy, float *u,
            bf16 *packed) {
  project(queue, long_of(dy, m, n, Dropout(0, 0)), by_element(lora.b, lora.rank, n), lora.scale, u,
          packed);
}

void lora_da(GpuQueue &queue, int64_t m, int64_t k, const Adapter &lora, const float *u,
             const float *x, float *da) {
  reduce_rows(queue, long_of(x, m, k, lora.dropout), by_element(u, lora.rank, m), 1, k, 1, da);
}

void lora_db(GpuQueue &queue, int64_t m, int64_t n, const Adapter &lora, const float *dy,
             const float *t, float *db) {
  reduce_rows(queue, long_of(dy, m, n, Dropout(0, 0)), by_element(t, lora.rank, m), lora.scale, 1,
              lora.rank, db);
}

}  // namespace cria::gpu
