// attention_bwd.cpp: the backward pass of attention (FlashAttention-2, Dao 2023).
//
//   p = exp(scale q.k - lse), dp = dout.v, delta = dout.out, ds = p (dp - delta)
//   dv = sum p dout, dq = scale sum ds k, dk = scale sum ds q
//
// A task is a block of query rows (dq) or a tile of keys (dk, dv), so that every sum has one owner and a fixed order.
// Both kinds compute p and ds anew: two products of seven more than with atomics or one gradient buffer per thread.
#include <array>

#include "cpu/attention_pack.h"
#include "cpu/attention_rows.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

struct Gradients {
  CpuDevice &device;
  const AttentionKernels &kernels;
  const AttentionShape &shape;
  const AttentionPlan &plan;
  const float scale;
  const float *q, *lse, *dout;
  const float *delta;  // [T,H]
  float *dq, *dk, *dv;

  // The forms of a packed tile, one behind the other: keys [d][kTileKeys], values [d][kTileKeys], keys [kTileKeys][width].
  int64_t tile_elements() const { return 2 * shape.transposed + shape.upright; }

  void query_block(const AttentionPlan::Block &block, int64_t kv_head, const float *packed) const;
  void key_tile(int64_t tile, int64_t kv_head, const float *packed) const;
};

const float *ones() {
  static const std::array<float, kTileKeys> values = [] {
    std::array<float, kTileKeys> a;
    a.fill(1);
    return a;
  }();
  return values.data();
}

// The rows of one block: queries, output gradients, and p and ds of one tile.
class BlockState {
 public:
  explicit BlockState(const Gradients &g)
      : g_(g),
        width_(g.shape.width),
        scratch_(g.device, 2 * kTileRows * (width_ + kTileKeys) * (int64_t)sizeof(float)),
        queries_(scratch_.as<float>()),
        dout_(queries_ + kTileRows * width_),
        p_(dout_ + kTileRows * width_),
        ds_(p_ + kTileRows * kTileKeys) {}

  void load(const AttentionPlan::Block &block, int64_t kv_head) {
    const int64_t start = g_.plan.sequences[block.sequence].start, d = g_.shape.d;
    const float scale = (float)(g_.scale * kLog2E);
    for (int64_t i = 0; i < block.rows; i++) {
      const int64_t at = g_.shape.query(start, kv_head, block.first + i);
      g_.kernels.copy_row(d, scale, g_.q + at, width_, queries_ + i * width_);
      g_.kernels.copy_row(d, 1, g_.dout + at, width_, dout_ + i * width_);
      lse2_[i] = (float)(g_.lse[at / d] * kLog2E);
      delta_[i] = g_.delta[at / d];
    }
  }

  // Computes p and ds [rows][kTileKeys] of rows first .. first + rows for a packed tile, columns below `most`.
  void compute(const float *packed, int64_t first, int64_t rows, int64_t low, const int32_t *high,
               int64_t most) {
    const int64_t n = round_up(most, kColumnUnit), at = first * kTileKeys, d = g_.shape.d;
    g_.kernels.multiply(rows, n, d, queries_ + first * width_, width_, 1, packed, kTileKeys,
                        nullptr, p_ + at, kTileKeys);
    g_.kernels.multiply(rows, n, d, dout_ + first * width_, width_, 1, packed + g_.shape.transposed,
                        kTileKeys, nullptr, ds_ + at, kTileKeys);
    g_.kernels.softmax_bwd(rows, n, low, high + first, &lse2_[first], &delta_[first], p_ + at,
                           ds_ + at);
  }

  const float *query(int64_t i) const {
    return queries_ + i * width_;
  }  // scaled by scale * log2(e)
  const float *dout(int64_t i) const { return dout_ + i * width_; }
  const float *p(int64_t i) const { return p_ + i * kTileKeys; }
  const float *ds(int64_t i) const { return ds_ + i * kTileKeys; }

 private:
  const Gradients &g_;
  const int64_t width_;
  ScratchBlock scratch_;
  float *queries_, *dout_, *p_, *ds_;
  std::array<float, kTileRows> lse2_, delta_;
};

void Gradients::query_block(const AttentionPlan::Block &block, int64_t kv_head,
                            const float *packed) const {
  BlockState state(*this);
  state.load(block, kv_head);
  ScratchBlock scratch(device, block.rows * shape.width * (int64_t)sizeof(float));
  float *sum = scratch.as<float>();
  std::fill(sum, sum + block.rows * shape.width, 0.0f);
  plan.see_all(block, [&](int64_t tile, int64_t low, const int32_t *high, int64_t) {
    const float *at = packed + tile * tile_elements();
    const float *keys = at + 2 * shape.transposed;
    each_piece(block.rows, kForwardStep, low, high, [&](int64_t first, int64_t rows, int64_t most) {
      state.compute(at, first, rows, low, high, most);
      kernels.multiply(rows, shape.width, most - low, state.ds(first) + low, kTileKeys, 1,
                       keys + low * shape.width, shape.width, ones(), sum + first * shape.width,
                       shape.width);
    });
  });
  const int64_t start = plan.sequences[block.sequence].start;
  for (int64_t i = 0; i < block.rows; i++)
    kernels.copy_row(shape.d, scale, sum + i * shape.width, shape.d,
                     dq + shape.query(start, kv_head, block.first + i));
}

void Gradients::key_tile(int64_t number, int64_t kv_head, const float *packed) const {
  const AttentionPlan::Tile &tile = plan.tiles[number];
  BlockState state(*this);
  const int64_t width = shape.width;
  ScratchBlock scratch(device, 2 * shape.upright * (int64_t)sizeof(float));
  float *dk_sum = scratch.as<float>(), *dv_sum = dk_sum + shape.upright;
  std::fill(dk_sum, dk_sum + 2 * shape.upright, 0.0f);
  const auto add_block = [&](const AttentionPlan::Block &block) {
    plan.see(block, tile, [&](int64_t low, const int32_t *high, int64_t) {
      state.load(block, kv_head);
      each_piece(block.rows, kBackwardStep, low, high,
                 [&](int64_t first, int64_t rows, int64_t most) {
                   state.compute(packed + number * tile_elements(), first, rows, low, high, most);
                   kernels.multiply(most - low, width, rows, state.p(first) + low, 1, kTileKeys,
                                    state.dout(first), width, ones(), dv_sum + low * width, width);
                   kernels.multiply(most - low, width, rows, state.ds(first) + low, 1, kTileKeys,
                                    state.query(first), width, ones(), dk_sum + low * width, width);
                 });
    });
  };
  // Its own sequence, then those that see it as their prefix.
  const AttentionPlan::Sequence &owner = plan.sequences[tile.sequence];
  for (int64_t b = tile.base * shape.group / kTileRows; b < owner.blocks; b++)
    add_block(plan.blocks[owner.first_block + b]);
  for (int64_t viewer : plan.viewers[tile.sequence]) {
    const AttentionPlan::Sequence &s = plan.sequences[viewer];
    for (int64_t b = 0; b < s.blocks; b++) add_block(plan.blocks[s.first_block + b]);
  }
  for (int64_t i = 0; i < tile.count; i++) {
    const int64_t at = shape.key(owner.start + tile.base + i, kv_head);
    kernels.copy_row(shape.d, (float)kLn2, dk_sum + i * width, shape.d, dk + at);
    kernels.copy_row(shape.d, 1, dv_sum + i * width, shape.d, dv + at);
  }
}

}  // namespace

cria_status attention_bwd(cria_queue *queue, int64_t t, int64_t heads, int64_t kv_heads, int64_t d,
                          int64_t sequence_count, const int32_t *sequences, float scale,
                          const float *q, const float *k, const float *v, const float *out,
                          const float *lse, const float *dout, float *dq, float *dk, float *dv) {
  CpuDevice &device = device_of(queue);
  const AttentionKernels &kernels = attention_kernels(device.tier);
  const AttentionShape shape{t, heads, kv_heads, d};
  const AttentionPlan plan("attention_bwd", t, sequence_count, sequences, shape.group);
  fill_gaps(plan, heads * d, 0, dq);
  fill_gaps(plan, kv_heads * d, 0, dk);
  fill_gaps(plan, kv_heads * d, 0, dv);

  ScratchBlock delta_scratch(device, t * heads * (int64_t)sizeof(float));
  float *delta = delta_scratch.as<float>();
  device.parallel_range(t * heads, 128, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) delta[i] = kernels.dot(d, dout + i * d, out + i * d);
  });

  const Gradients gradients{device, kernels, shape, plan, scale, q, lse, dout, delta, dq, dk, dv};
  const int64_t tiles = (int64_t)plan.tiles.size(), blocks = (int64_t)plan.blocks.size();
  const int64_t tile_elements = gradients.tile_elements();
  const int64_t most = shape.heads_per_pass(tiles, tile_elements);
  ScratchBlock scratch(device, most * tiles * tile_elements * (int64_t)sizeof(float));
  float *packed = scratch.as<float>();
  for (int64_t first = 0; first < kv_heads; first += most) {
    const int64_t count = std::min(most, kv_heads - first);
    device.parallel(count * tiles, [&](int64_t task) {
      const AttentionPlan::Tile &tile = plan.tiles[task % tiles];
      const int64_t at =
          shape.key(plan.sequences[tile.sequence].start + tile.base, first + task / tiles);
      float *to = packed + task * tile_elements;
      shape.pack_transposed(tile.count, k + at, to);
      shape.pack_transposed(tile.count, v + at, to + shape.transposed);
      shape.pack_upright(kernels, tile.count, k + at, to + 2 * shape.transposed);
    });
    // Tiles first: they are the longer tasks.
    device.parallel(count * (tiles + blocks), [&](int64_t task) {
      const int64_t head = task % count, number = task / count;
      const float *of_head = packed + head * tiles * tile_elements;
      if (number < tiles) {
        gradients.key_tile(number, first + head, of_head);
      } else {
        gradients.query_block(plan.blocks[plan.heavy_first[number - tiles]], first + head, of_head);
      }
    });
  }
  return CRIA_OK;
}

}  // namespace cria::cpu
