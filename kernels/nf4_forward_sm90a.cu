// nf4_forward_sm90a.cu: y = x W^T + LoRA for many rows, W in NF4, by the products of warpgroups that sm_90a has.
//
// A block makes a tile of y^T, 128 rows of W by TOKENS rows of x, 64 steps of k (one run of each row of W) at a time. W being
// the left operand, its weights go from the decoder to the product in registers and never touch memory. One thread has
// the hardware copy x and the codes, four stages ahead. Two warpgroups with 64 rows of W each decode a step while the
// products of the step before run. Each warp makes the tables (nf4_decode.h) of its 16 rows, for two steps at once so that
// each lane has one; no barrier of the block is in the loop.
//
// LoRA comes first, through mma.sync (split.h), for the accuracy of float32.
#include "device/device.h"
#include "device/hopper.h"
#include "host/launch.h"
#include "nf4_linear.h"
#include "pack.h"
#include "split.h"
#include "tile.h"

namespace cria::gpu {
namespace {

constexpr int kConsumers = 256, kConsumerWarps = kConsumers / kWarp;
constexpr int kThreads =
    kConsumers + 128;          // and the warpgroup of the thread that starts the copies
constexpr int kWarpRows = 16;  // of W
constexpr int kRows = kConsumerWarps * kWarpRows;
static_assert(kRows == kTableRuns);
constexpr int kStages = 4;
constexpr int kCodeBytes = kRows * kRunBytes;

template <int TOKENS>
struct Layout {
  static constexpr int kInputBytes = TOKENS * kRun * 2;
  static constexpr uint32_t kCodes = kStages * kInputBytes;
  static constexpr uint32_t kTables = kCodes + kStages * kCodeBytes;  // of two steps
  static constexpr uint32_t kMap = kTables + 2 * kTableBytes;
  static constexpr uint32_t kFull = kMap + kMapBytes;  // barrier objects of the stages
  static constexpr uint32_t kFree = kFull + kStages * 8;
  static constexpr int kShared = kFree + kStages * 8;
};

struct Forward {
  TensorMap x, codes;
  Nf4 w;
  int64_t m;
  LoraTerm lora;
  float *y;
};

// The stages in turn, with the parity of the phase of their barrier objects.
struct Ring {
  int stage = 0, parity = 0;
  CRIA_GPU void next() {
    stage = stage + 1 < kStages ? stage + 1 : 0;
    if (stage == 0) parity ^= 1;
  }
  CRIA_GPU Shared<uint64_t> of(uint32_t objects) const { return shared<uint64_t>(objects) + stage; }
};

template <int TOKENS>
CRIA_GPU void copy_stages(const Forward &p, int steps, int token, int row) {
  using At = Layout<TOKENS>;
  Ring ring;
  for (int step = 0; step < steps; ++step, ring.next()) {
    const Shared<uint64_t> full = ring.of(At::kFull);
    barrier_wait(ring.of(At::kFree), ring.parity ^ 1);
    barrier_arrive_expect(full, At::kInputBytes + kCodeBytes);
    tile_load(shared<bf16>(ring.stage * At::kInputBytes), p.x, step * kRun, token, full);
    tile_load(shared<uint8_t>(At::kCodes + ring.stage * kCodeBytes), p.codes, step * kRunBytes, row,
              full);
  }
}

// The weights of rows g and g + 8 of a warp for the four products of a stage.
struct Operands {
  uint32_t a[kRun / 16][4];

  CRIA_GPU void decode(Shared<uint32_t> codes, Shared<uint32_t> tables, int row) {
    const Weights upper = decode_run(codes, tables, row),
                  lower = decode_run(codes, tables, row + 8);
#pragma unroll
    for (int s = 0; s < kRun / 16; ++s) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        a[s][2 * h] = upper.pair[2 * s + h];
        a[s][2 * h + 1] = lower.pair[2 * s + h];
      }
    }
  }
};

template <int TOKENS>
CRIA_GPU void multiply_stages(const Forward &p, int steps, int64_t token0, int64_t row0) {
  using At = Layout<TOKENS>;
  constexpr int kTokenTiles = TOKENS / 8;
  const int lane = lane_index(), g = lane / 4, t = lane % 4;
  const int warp_row = warp_index() * kWarpRows;

  float narrow[1][kTokenTiles][4] = {};
  add_narrow(
      narrow, p.lora.rank,
      [&](int, int half, int64_t r) {
        const int64_t row = row0 + warp_row + half * 8 + g;
        if (row >= p.w.n) return Four{};
        return load_four(p.lora.right + row * p.lora.rank + r, p.lora.rank - r, p.lora.vectors);
      },
      [&](int j, int64_t r) {
        const int64_t token = token0 + j * 8 + g;
        Four v{};
        if (token < p.m)
          v = load_four(p.lora.left + token * p.lora.rank + r, p.lora.rank - r, p.lora.vectors);
#pragma unroll
        for (int i = 0; i < 4; ++i) v[i] *= p.lora.scale;
        return v;
      });
  float sums[TOKENS / 2];
#pragma unroll
  for (int i = 0; i < TOKENS / 2; ++i) sums[i] = narrow[0][i / 4][i % 4];

  // Lanes 0 to 15 make the tables of the first step of two, the others those of the second.
  const int own_run = warp_row + lane % kWarpRows, own_step = lane / kWarpRows;
  const int64_t own_row = minimum(row0 + own_run, p.w.n - 1);
  const auto tables = [](int i) { return shared<uint32_t>(At::kTables + i * kTableBytes); };
  TableMaker maker(p.w, shared<float>(At::kMap));
  const auto fetch = [&](int step) { maker.fetch(own_row, minimum(step + own_step, steps - 1)); };
  Operands operands[2];
  Ring ring;
  const auto decode = [&](int i) {
    if (i == 0) {
      maker.make(tables(own_step), own_run);
      warp_sync();
    }
    barrier_wait(ring.of(At::kFull), ring.parity);
    operands[i].decode(shared<uint32_t>(At::kCodes + ring.stage * kCodeBytes), tables(i),
                       warp_row + g);
  };
  fetch(0);
  decode(0);
  for (int first = 0; first < steps; first += 2) {
    fetch(first + 2);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int step = first + i, stage = ring.stage;
      if (step == steps) break;
      const Shared<bf16> input = shared<bf16>(stage * At::kInputBytes);
      wgmma_hold(sums);
      wgmma_fence();
#pragma unroll
      for (int s = 0; s < kRun / 16; ++s) wgmma<TOKENS>(sums, operands[i].a[s], matrix(input, s));
      wgmma_commit();
      ring.next();
      if (step + 1 < steps) decode(1 - i);
      wgmma_wait<0>();
      wgmma_hold(sums);
      // All lanes have read the codes of the stage, and the tables of both steps if this is the first.
      warp_sync();
      if (lane == 0) barrier_arrive(shared<uint64_t>(At::kFree) + stage);
    }
  }

#pragma unroll
  for (int i = 0; i < TOKENS / 2; ++i) {
    const int64_t token = token0 + i / 4 * 8 + t * 2 + i % 2;
    const int64_t row = row0 + warp_row + i % 4 / 2 * 8 + g;
    if (token < p.m && row < p.w.n) store(p.y + token * p.w.n + row, sums[i]);
  }
}

template <int TOKENS>
CRIA_KERNEL(kThreads, 1)
void forward_kernel(const CRIA_GRID_CONSTANT Forward p) {
  using At = Layout<TOKENS>;
  const TilePlace place(int(divide_up(p.m, TOKENS)), int(divide_up(p.w.n, kRows)), block_x());
  const int token0 = place.row * TOKENS, row0 = place.column * kRows;
  const int steps = int(p.w.k / kRun);
  if (thread_index() == kConsumers) {
    for (int stage = 0; stage < kStages; ++stage) {
      barrier_init(shared<uint64_t>(At::kFull) + stage, 1);
      barrier_init(shared<uint64_t>(At::kFree) + stage, kConsumerWarps);
    }
    proxy_fence();
  }
  TableMaker(p.w, shared<float>(At::kMap)).prepare<kThreads>();
  if (thread_index() < kConsumers) {
    register_increase<232>();
    multiply_stages<TOKENS>(p, steps, token0, row0);
  } else {
    register_decrease<40>();
    if (thread_index() == kConsumers) copy_stages<TOKENS>(p, steps, token0, row0);
  }
}

template <int TOKENS>
void launch_tiles(GpuQueue &queue, const Nf4 &w, int64_t m, const bf16 *x, const LoraTerm &lora,
                  float *y) {
  const int64_t pitch = packed_pitch(w.k);
  Forward arguments{make_tensor_map({x, 2, m, pitch, pitch * 2, TOKENS, kRun, true}),
                    make_tensor_map({w.codes, 1, w.n, w.k / 2, w.k / 2, kRows, kRunBytes, false}),
                    w,
                    m,
                    lora,
                    y};
  launch(queue, "nf4_forward_sm90a", &forward_kernel<TOKENS>,
         {divide_up(m, TOKENS) * divide_up(w.n, kRows)}, kThreads, Layout<TOKENS>::kShared,
         arguments);
}

}  // namespace

void nf4_forward_sm90a(GpuQueue &queue, const Nf4 &w, int64_t m, const bf16 *x,
                       const LoraTerm &lora, float *y) {
  // Decoding is shared by the rows of x in a tile, so more are better unless they are padding.
  if (m > 512 || round_up(m, 256) == round_up(m, 128)) {
    launch_tiles<256>(queue, w, m, x, lora, y);
  } else {
    launch_tiles<128>(queue, w, m, x, lora, y);
  }
}

}  // namespace cria::gpu
