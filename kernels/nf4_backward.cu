// nf4_backward.cu: dx = dy W + drop'(LoRA) for many rows, W in NF4, on tensor cores, from the codes that forward reads.
//
// A block makes 128 x 128 of dx, 64 rows of W at a time: two runs of each. dy and the codes arrive by asynchronous copies. The
// threads decode a stage once, into a tile of bf16 in shared memory that the warps, 64 x 64 each, read by transposing
// ldmatrix; the tile of one stage is decoded while that of the stage before is multiplied.
#include "device/device.h"
#include "host/launch.h"
#include "nf4_linear.h"
#include "pack.h"
#include "split.h"
#include "tile.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 128;
constexpr int kTile = 128;  // rows and columns of dx
constexpr int kWarpTile = 64;
constexpr int kDepth = 64;  // rows of W in a stage
constexpr int kRowTiles = kWarpTile / 16, kColumnTiles = kWarpTile / 8;
constexpr int kRuns = kTile / kRun;
constexpr int kStages = 2;

using GradientTile = Tile<bf16, kTile, kDepth, true>;
using WeightTile = Tile<bf16, kDepth, kTile, true>;
constexpr int kGradientBytes = GradientTile::kElements * 2,
              kWeightBytes = WeightTile::kElements * 2;
constexpr int kCodeBytes = kDepth * kRuns * kRunBytes;
constexpr uint32_t kWeights = kStages * kGradientBytes;
constexpr uint32_t kCodes = kWeights + 2 * kWeightBytes;
constexpr uint32_t kTables = kCodes + kStages * kCodeBytes;
constexpr uint32_t kMap = kTables + 2 * kTableBytes;
constexpr int kShared = kMap + kMapBytes;
static_assert(kDepth * kRuns == kTableRuns && kTableRuns == kThreads && kDepth * 2 == kThreads);

struct Backward {
  Nf4 w;
  int64_t m;
  const bf16 *dy;
  LoraTerm lora;
  Dropout dropout;
  bool accumulate;
  float *dx;
  bool pairs;  // of dx may be moved at once
};

// Decodes a stage, run by run: codes [run][row], 4 lanes to each row.
CRIA_GPU void decode_stage(Shared<bf16> weights, Shared<uint32_t> codes, Shared<uint32_t> tables) {
  const int t = thread_index() % 4;
#pragma unroll 1
  for (int i = 0; i < kTableRuns * 4 / kThreads; ++i) {
    const int run_row = thread_index() / 4 + i * (kThreads / 4);
    const int run = run_row / kDepth, row = run_row % kDepth;
    const Vec<uint32_t, 2> code = codes.vec<2>(run_row * (kRunBytes / 4) + t * 2);
    const Nf4Table table = get_table(tables, run_row);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Vec<uint32_t, 4> pairs;
      nf4_decode(table, code[half], pairs.v);
      const int at = WeightTile::at(row, run * kRun + t * 16 + half * 8);
      (weights + at).as<uint32_t>().set_vec(0, pairs);
    }
  }
}

// The same one by one, from any matrix.
CRIA_GPU void gather_stage(Shared<bf16> weights, const Nf4 &w, int64_t row0, int64_t column0) {
  for (int i = thread_index(); i < WeightTile::kElements / 2; i += kThreads) {
    const int row = i / (kTile / 2), column = i % (kTile / 2) * 2;
    float v[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int64_t n = row0 + row, k = column0 + column + e;
      v[e] = n < w.n && k < w.k ? weight_at(w, n * w.k + k) : 0.0f;
    }
    (weights + WeightTile::at(row, column)).as<uint32_t>().store(0, pack_bf16(v[0], v[1]));
  }
}

template <bool REGULAR>
CRIA_KERNEL(kThreads, 2)
void backward_kernel(Backward p) {
  const int lane = lane_index(), g = lane / 4, t = lane % 4;
  const TilePlace place(int(divide_up(p.m, kTile)), int(divide_up(p.w.k, kTile)), block_x());
  const int64_t row0 = int64_t(place.row) * kTile, column0 = int64_t(place.column) * kTile;
  const int warp_row = warp_index() / 2 * kWarpTile, warp_column = warp_index() % 2 * kWarpTile;
  float sums[kRowTiles][kColumnTiles][4] = {};

  if (p.lora.rank > 0) {
    // Which of the sums dropout keeps, found while they take no registers: bit 4 j + e of word i is that of sums[i][j][e].
    uint32_t kept[kRowTiles] = {};
    if (p.dropout.threshold > 0) {
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll 1
        for (int bit = 0; bit < 32; ++bit) {
          const int64_t row = row0 + warp_row + i * 16 + bit / 2 % 2 * 8 + g;
          const int64_t column = column0 + warp_column + bit / 4 * 8 + t * 2 + bit % 2;
          kept[i] |= uint32_t(p.dropout.keeps(uint64_t(row * p.w.k + column))) << bit;
        }
      }
    }
    add_narrow(
        sums, p.lora.rank,
        [&](int i, int half, int64_t r) {
          const int64_t row = row0 + warp_row + i * 16 + half * 8 + g;
          if (row >= p.m) return Four{};
          return load_four(p.lora.left + row * p.lora.rank + r, p.lora.rank - r, p.lora.vectors);
        },
        [&](int j, int64_t r) {
          const int64_t column = column0 + warp_column + j * 8 + g;
          if (column >= p.w.k) return Four{};
          return load_four_across(p.lora.right + r * p.w.k + column, p.w.k, p.lora.rank - r);
        });
    if (p.dropout.threshold > 0) {
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
        for (int bit = 0; bit < 32; ++bit) {
          sums[i][bit / 4][bit % 4] *= kept[i] >> bit & 1 ? p.dropout.factor : 0.0f;
        }
      }
    }
  }

  const int64_t pitch = packed_pitch(p.w.n);
  const int stages = int(pitch / kDepth);
  // The thread's run of a stage.
  const int own_row = thread_index() % kDepth;
  const int64_t own_run = minimum(column0 / kRun + thread_index() / kDepth, p.w.k / kRun - 1);
  TableMaker maker(p.w, shared<float>(kMap));
  const auto fetch = [&](int stage) {
    maker.fetch(minimum(int64_t(stage) * kDepth + own_row, p.w.n - 1), own_run);
  };
  const auto tables = [](int step) { return shared<uint32_t>(kTables + step % 2 * kTableBytes); };
  const auto weights = [](int step) { return shared<bf16>(kWeights + step % 2 * kWeightBytes); };
  if constexpr (REGULAR) {
    maker.prepare<kThreads>();
    fetch(0);
    maker.make(tables(0), thread_index());
    if (stages > 1) fetch(1);
  }
  // Step s decodes stage s and multiplies stage s - 1, whose dy comes with the codes of the next.
  pipeline<kStages>(
      stages + 1,
      [&](int step, int stage) {
        if (step > 0) {
          GradientTile::copy<kThreads, 8>(shared<bf16>(stage * kGradientBytes),
                                          p.dy + row0 * pitch + (step - 1) * kDepth, pitch,
                                          p.m - row0, kDepth);
        }
        if (REGULAR && step < stages) {
#pragma unroll
          for (int run = 0; run < kRuns; ++run) {
            // A row's run by two neighbours.
            const int row = thread_index() / 2, part = thread_index() % 2 * 16;
            const int64_t n = int64_t(step) * kDepth + row, from = column0 / kRun + run;
            const bool exists = n < p.w.n && from < p.w.k / kRun;
            const int64_t at = exists ? n * p.w.k / 2 + from * kRunBytes + part : 0;
            copy_async<16>(shared<uint8_t>(kCodes + stage * kCodeBytes +
                                           (run * kDepth + row) * kRunBytes + part),
                           p.w.codes + at, exists ? 16 : 0);
          }
        }
      },
      [&](int step, int stage) {
        if (step < stages) {
          if constexpr (REGULAR) {
            decode_stage(weights(step), shared<uint32_t>(kCodes + stage * kCodeBytes),
                         tables(step));
            if (step + 1 < stages) maker.make(tables(step + 1), thread_index());
            if (step + 2 < stages) fetch(step + 2);
          } else {
            gather_stage(weights(step), p.w, int64_t(step) * kDepth, column0);
          }
        }
        if (step == 0) return;
        const Shared<bf16> dy = shared<bf16>(stage * kGradientBytes);
        const Shared<bf16> w = weights(step - 1);
#pragma unroll
        for (int s = 0; s < kDepth / 16; ++s) {
          uint32_t a[kRowTiles][4];
#pragma unroll
          for (int i = 0; i < kRowTiles; ++i) {
            load_matrix(
                a[i], dy + GradientTile::at(warp_row + i * 16 + lane % 16, s * 16 + lane / 16 * 8));
          }
#pragma unroll
          for (int j = 0; j < kColumnTiles; j += 2) {
            // Two tiles of columns, the two halves of the rows of each.
            uint32_t b[4];
            load_matrix_transposed(
                b, w + WeightTile::at(s * 16 + lane % 16, warp_column + j * 8 + lane / 16 * 8));
            const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
#pragma unroll
            for (int i = 0; i < kRowTiles; ++i) {
              mma_16x8x16(sums[i][j], a[i], first);
              mma_16x8x16(sums[i][j + 1], a[i], second);
            }
          }
        }
      });

#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = row0 + warp_row + i * 16 + half * 8 + g;
#pragma unroll
      for (int j = 0; j < kColumnTiles; ++j) {
        const int64_t column = column0 + warp_column + j * 8 + t * 2;
        if (row >= p.m || column >= p.w.k) continue;
        float *to = p.dx + row * p.w.k + column;
        Vec<float, 2> sum{{sums[i][j][half * 2], sums[i][j][half * 2 + 1]}};
        if (p.pairs) {
          const Vec<float, 2> old = p.accumulate ? load_vec<2>(to) : Vec<float, 2>{};
          sum[0] += old[0];
          sum[1] += old[1];
          store_vec(to, sum);
        } else {
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            if (column + e < p.w.k) store(to + e, p.accumulate ? load(to + e) + sum[e] : sum[e]);
          }
        }
      }
    }
  }
}

}  // namespace

void nf4_backward(GpuQueue &queue, const Nf4 &w, int64_t m, const bf16 *dy, const LoraTerm &lora,
                  const Dropout &dropout, bool accumulate, float *dx) {
  const bool pairs = w.k % 2 == 0 && reinterpret_cast<uintptr_t>(dx) % 8 == 0;
  launch(queue, "nf4_backward", w.regular() ? &backward_kernel<true> : &backward_kernel<false>,
         {divide_up(m, kTile) * divide_up(w.k, kTile)}, kThreads, kShared,
         Backward{w, m, dy, lora, dropout, accumulate, dx, pairs});
}

}  // namespace cria::gpu
