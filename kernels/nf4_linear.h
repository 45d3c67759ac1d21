// nf4_linear.h: the kernels behind linear layers over NF4 weights, and what those of large products share.
#pragma once

#include "lora.h"
#include "nf4_decode.h"

namespace cria::gpu {

// The narrow part of a product, left right^T times scale: t and B forward, u and A^T backward.
struct LoraTerm {
  int64_t rank;
  const float *left;   // [M,R]
  const float *right;  // [N,R] forward, [R,K] backward
  float scale;
  bool vectors;  // rows of R may be read as vectors of 4
};

// y [M,N] = x W^T + LoRA. x: an operand of pack_rows in NF4 order.
void nf4_forward(GpuQueue &queue, const Nf4 &w, int64_t m, const bf16 *x, const LoraTerm &lora,
                 float *y);
// The same on sm_90a w.regular() only.
void nf4_forward_sm90a(GpuQueue &queue, const Nf4 &w, int64_t m, const bf16 *x,
                       const LoraTerm &lora, float *y);
// dx [M,K] (+)= dy W + drop'(LoRA). dy: a plain operand of pack_rows.
void nf4_backward(GpuQueue &queue, const Nf4 &w, int64_t m, const bf16 *dy, const LoraTerm &lora,
                  const Dropout &dropout, bool accumulate, float *dx);
// nf4_forward for few rows, x float32. Bound by reading the weights once for each 16 rows.
void nf4_forward_few(GpuQueue &queue, const Nf4 &w, int64_t m, const float *x, const LoraTerm &lora,
                     float *y);

// ---- Device

constexpr int kRun = 64;         // weights with one scale
constexpr int kRunBytes = 32;    // of their codes
constexpr int kTableRuns = 128;  // of a stage
constexpr int kTableBytes = kTableRuns * int(sizeof(Nf4Table));
constexpr int kMapBytes = 256 * 4;

// Tables of the runs of a stage in shared memory. Planes lie apart so that neighbours read neighbouring banks.
CRIA_GPU void put_table(Shared<uint32_t> tables, int run, const Nf4Table &table) {
  tables.set_vec(run * 4, table.low);
  tables.set_vec((kTableRuns + run) * 4, table.high);
}

CRIA_GPU Nf4Table get_table(Shared<uint32_t> tables, int run) {
  return {tables.vec<4>(run * 4), tables.vec<4>((kTableRuns + run) * 4)};
}

// The 16 weights of a lane: its 8 bytes of a run, as pairs.
struct Weights {
  uint32_t pair[8];
};

CRIA_GPU Weights decode_run(Shared<uint32_t> codes, Shared<uint32_t> tables, int row) {
  const Vec<uint32_t, 2> code = codes.vec<2>(row * (kRunBytes / 4) + lane_index() % 4 * 2);
  const Nf4Table table = get_table(tables, row);
  Weights w;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    uint32_t pairs[4];
    nf4_decode(table, code[i], pairs);
#pragma unroll
    for (int j = 0; j < 4; ++j) w.pair[i * 4 + j] = pairs[j];
  }
  return w;
}

// Makes the tables of one run of each stage, the scale of the next stage being on its way meanwhile. `row` is the row of
// the run, column(stage) its place in the row.
class TableMaker {
 public:
  CRIA_GPU TableMaker(const Nf4 &w, Shared<float> map) : w_(w), map_(map) {}

  // By all threads of a block: the map of scale codes goes to shared memory. A barrier of the block in any case.
  template <int THREADS>
  CRIA_GPU void prepare() const {
    const int entries = w_.scales ? 0 : 256;
    for (int i = thread_index(); i < entries; i += THREADS)
      map_.store(i, load(w_.maps + kScaleMap + i));
    block_sync();
  }
  CRIA_GPU void fetch(int64_t row, int64_t column) { raw_ = load_run_scale(w_, row, column); }
  CRIA_GPU void make(Shared<uint32_t> tables, int run) const {
    const float scale = scale_of(w_, raw_, [&](uint32_t code) { return map_.load(int(code)); });
    put_table(tables, run, nf4_table(w_, scale));
  }

 private:
  const Nf4 &w_;
  Shared<float> map_;
  RawScale raw_;
};

// Calls copy(step, stage), which starts the copies of a step, STAGES - 1 steps ahead of compute(step, stage).
template <int STAGES, class Copy, class Compute>
CRIA_GPU void pipeline(int steps, Copy copy, Compute compute) {
#pragma unroll
  for (int step = 0; step < STAGES - 1; ++step) {
    if (step < steps) copy(step, step);
    copy_async_commit();
  }
  int stage = 0, free = STAGES - 1;
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<STAGES - 2>();
    block_sync();
    // All threads have left the stage of the step before, too.
    if (step + STAGES - 1 < steps) copy(step + STAGES - 1, free);
    copy_async_commit();
    compute(step, stage);
    free = stage;
    stage = stage + 1 < STAGES ? stage + 1 : 0;
  }
}

}  // namespace cria::gpu
