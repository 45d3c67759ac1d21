// nf4_forward.cu: y = x W^T + LoRA for many rows, W in NF4, on tensor cores.
//
// A block makes 128 x 128 of y, 64 steps of k (one run of each row of W) at a time. x and the codes arrive in shared memory by
// asynchronous copies, two stages in turn: with 49 KB two blocks fit the smaller GPUs, too. A warp holds all 128 rows of x
// against 32 rows of W, so that each weight is decoded once in a block, into the registers that the mma takes it from;
// decoded weights never touch memory. The tables of a stage (nf4_decode.h) are made one stage ahead, a run by each thread.
#include "device/device.h"
#include "host/launch.h"
#include "nf4_linear.h"
#include "pack.h"
#include "split.h"
#include "tile.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 128;
constexpr int kTile = 128;  // rows and columns of y
constexpr int kWarpColumns = 32;
constexpr int kRowTiles = kTile / 16, kColumnTiles = kWarpColumns / 8;
constexpr int kStages = 2;

using InputTile = Tile<bf16, kTile, kRun, true>;
constexpr int kInputBytes = InputTile::kElements * 2, kCodeBytes = kTile * kRunBytes;
constexpr uint32_t kCodes = kStages * kInputBytes;
constexpr uint32_t kTables = kCodes + kStages * kCodeBytes;
constexpr uint32_t kMap = kTables + 2 * kTableBytes;
constexpr int kShared = kMap + kMapBytes;

struct Forward {
  Nf4 w;
  int64_t m;
  const bf16 *x;
  LoraTerm lora;
  float *y;
  bool pairs;  // of y may be stored at once
};

// decode_run() one weight after another, from any matrix.
CRIA_GPU Weights gather_run(const Nf4 &w, int64_t row, int64_t column) {
  Weights out;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int64_t k = column + lane_index() % 4 * 16 + i * 2;
    float v[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      v[e] = row < w.n && k + e < w.k ? weight_at(w, row * w.k + k + e) : 0.0f;
    }
    out.pair[i] = pack_bf16(v[0], v[1]);
  }
  return out;
}

template <bool REGULAR>
CRIA_KERNEL(kThreads, 2)
void forward_kernel(Forward p) {
  const int lane = lane_index(), g = lane / 4, t = lane % 4;
  const TilePlace place(int(divide_up(p.m, kTile)), int(divide_up(p.w.n, kTile)), block_x());
  const int64_t row0 = int64_t(place.row) * kTile, column0 = int64_t(place.column) * kTile;
  const int warp_column = warp_index() * kWarpColumns;
  float sums[kRowTiles][kColumnTiles][4] = {};

  add_narrow(
      sums, p.lora.rank,
      [&](int i, int half, int64_t r) {
        const int64_t row = row0 + i * 16 + half * 8 + g;
        Four v{};
        if (row < p.m)
          v = load_four(p.lora.left + row * p.lora.rank + r, p.lora.rank - r, p.lora.vectors);
#pragma unroll
        for (int j = 0; j < 4; ++j) v[j] *= p.lora.scale;
        return v;
      },
      [&](int j, int64_t r) {
        const int64_t column = column0 + warp_column + j * 8 + g;
        if (column >= p.w.n) return Four{};
        return load_four(p.lora.right + column * p.lora.rank + r, p.lora.rank - r, p.lora.vectors);
      });

  const int64_t pitch = packed_pitch(p.w.k);
  const int steps = int(pitch / kRun);
  const int64_t own_row = minimum(column0 + thread_index(), p.w.n - 1);
  TableMaker maker(p.w, shared<float>(kMap));
  const auto tables = [](int step) { return shared<uint32_t>(kTables + step % 2 * kTableBytes); };
  if constexpr (REGULAR) {
    maker.prepare<kThreads>();
    maker.fetch(own_row, 0);
    maker.make(tables(0), thread_index());
    if (steps > 1) maker.fetch(own_row, 1);
  }
  pipeline<kStages>(
      steps,
      [&](int step, int stage) {
        InputTile::copy<kThreads, 8>(shared<bf16>(stage * kInputBytes),
                                     p.x + row0 * pitch + step * kRun, pitch, p.m - row0, kRun);
        if constexpr (REGULAR) {
      // A row's run by two neighbours.
#pragma unroll
          for (int i = 0; i < kCodeBytes / 16 / kThreads; ++i) {
            const int chunk = thread_index() + i * kThreads;
            const bool exists = column0 + chunk / 2 < p.w.n;
            const int64_t row = exists ? column0 + chunk / 2 : 0;
            copy_async<16>(shared<uint8_t>(kCodes + stage * kCodeBytes + chunk * 16),
                           p.w.codes + row * p.w.k / 2 + step * kRunBytes + chunk % 2 * 16,
                           exists ? 16 : 0);
          }
        }
      },
      [&](int step, int stage) {
        Weights weights[kColumnTiles];
#pragma unroll
        for (int j = 0; j < kColumnTiles; ++j) {
          const int row = warp_column + j * 8 + g;
          if constexpr (REGULAR) {
            weights[j] =
                decode_run(shared<uint32_t>(kCodes + stage * kCodeBytes), tables(step), row);
          } else {
            weights[j] = gather_run(p.w, column0 + row, int64_t(step) * kRun);
          }
        }
        if constexpr (REGULAR) {
          if (step + 1 < steps) maker.make(tables(step + 1), thread_index());
          if (step + 2 < steps) maker.fetch(own_row, step + 2);
        }
        const Shared<bf16> input = shared<bf16>(stage * kInputBytes);
#pragma unroll
        for (int s = 0; s < kRun / 16; ++s) {
#pragma unroll
          for (int i = 0; i < kRowTiles; ++i) {
            uint32_t a[4];
            load_matrix(a, input + InputTile::at(i * 16 + lane % 16, s * 16 + lane / 16 * 8));
#pragma unroll
            for (int j = 0; j < kColumnTiles; ++j) {
              const uint32_t b[2] = {weights[j].pair[2 * s], weights[j].pair[2 * s + 1]};
              mma_16x8x16(sums[i][j], a, b);
            }
          }
        }
      });

#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = row0 + i * 16 + half * 8 + g;
#pragma unroll
      for (int j = 0; j < kColumnTiles; ++j) {
        const int64_t column = column0 + warp_column + j * 8 + t * 2;
        if (row >= p.m || column >= p.w.n) continue;
        float *to = p.y + row * p.w.n + column;
        const float *sum = sums[i][j] + half * 2;
        if (p.pairs) {
          store_vec(to, Vec<float, 2>{{sum[0], sum[1]}});
        } else {
          store(to, sum[0]);
          if (column + 1 < p.w.n) store(to + 1, sum[1]);
        }
      }
    }
  }
}

}  // namespace

void nf4_forward(GpuQueue &queue, const Nf4 &w, int64_t m, const bf16 *x, const LoraTerm &lora,
                 float *y) {
  const bool pairs = w.n % 2 == 0 && reinterpret_cast<uintptr_t>(y) % 8 == 0;
  launch(queue, "nf4_forward", w.regular() ? &forward_kernel<true> : &forward_kernel<false>,
         {divide_up(m, kTile) * divide_up(w.n, kTile)}, kThreads, kShared,
         Forward{w, m, x, lora, y, pairs});
}

}  // namespace cria::gpu
