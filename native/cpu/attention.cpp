// attention.cpp: causal attention over packed sequences in flash form, forward and backward.
//
// A call goes over the key/value heads in passes. A pass first packs the tiles of keys and values of its heads, then
// works on all of them: forward, a task is a block of query rows; backward, a task is a block of query rows (dq) or a
// tile of keys (dk, dv), so that every sum has one owner and a fixed order. The backward pass computes the scores anew
// in both kinds of task; that costs two of seven products and saves atomics or a gradient buffer per thread.
#include <algorithm>
#include <array>

#include "cpu/attention_plan.h"
#include "cpu/attention_rows.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

constexpr int64_t kPassBytes = 16 << 20;  // packed tiles that a pass should not exceed

// Shapes of one call.
struct Shape {
  int64_t t, heads, kv_heads, d;
  int64_t group = heads / kv_heads;
  int64_t width = round_up(d, kColumnUnit);  // of packed rows
  int64_t transposed = d * kTileKeys;        // elements of a packed tile [d][kTileKeys]
  int64_t upright = kTileKeys * width;       // elements of a packed tile [kTileKeys][width]

  // Row r (position, head of the group) of a sequence in q-shaped tensors [T, H*D].
  int64_t query(int64_t start, int64_t kv_head, int64_t r) const {
    return ((start + r / group) * heads + kv_head * group + r % group) * d;
  }
  int64_t key(int64_t row, int64_t kv_head) const { return (row * kv_heads + kv_head) * d; }
};

// to [d][kTileKeys] from count rows; columns up to the next multiple of kColumnUnit are zero.
void pack_transposed(int64_t count, int64_t d, const float *x, int64_t x_row, float *to) {
  for (int64_t i = 0; i < count; i += kColumnUnit) {
    const int64_t keys = std::min(kColumnUnit, count - i);
    for (int64_t j = 0; j < d; j++) {
      float *column = to + j * kTileKeys + i;
      for (int64_t key = 0; key < keys; key++) column[key] = x[(i + key) * x_row + j];
      for (int64_t key = keys; key < kColumnUnit; key++) column[key] = 0;
    }
  }
}

void pack_upright(const AttentionKernels &kernels, const Shape &shape, int64_t count,
                  const float *x, float *to) {
  for (int64_t i = 0; i < count; i++)
    kernels.copy_row(shape.d, 1, x + i * shape.kv_heads * shape.d, shape.width,
                     to + i * shape.width);
}

void zero_gaps(const AttentionPlan &plan, int64_t width, float *x) {
  for (const AttentionPlan::Gap &gap : plan.gaps)
    std::fill(x + gap.begin * width, x + gap.end * width, 0.0f);
}

// Key/value heads per pass when a tile takes tile_elements floats.
int64_t heads_per_pass(const AttentionPlan &plan, const Shape &shape, int64_t tile_elements) {
  const int64_t bytes =
      std::max<int64_t>(1, (int64_t)plan.tiles.size()) * tile_elements * (int64_t)sizeof(float);
  return std::min(shape.kv_heads, std::max<int64_t>(1, kPassBytes / bytes));
}

void forward_block(CpuDevice &device, const AttentionKernels &kernels, const AttentionPlan &plan,
                   const Shape &shape, const AttentionPlan::Block &block, int64_t kv_head,
                   float scale, const float *q, const float *packed, float *out, float *lse) {
  const int64_t start = plan.sequences[block.sequence].start;
  AttentionRows rows(device, kernels, block.rows, shape.d, scale);
  for (int64_t i = 0; i < block.rows; i++)
    rows.set_query(i, q + shape.query(start, kv_head, block.first + i));
  plan.see_all(block, [&](int64_t tile, int64_t low, const int32_t *high, int64_t) {
    const float *k = packed + tile * (shape.transposed + shape.upright);
    rows.see(k, k + shape.transposed, shape.width, low, high);
  });
  for (int64_t i = 0; i < block.rows; i++) {
    const int64_t at = shape.query(start, kv_head, block.first + i);
    lse[at / shape.d] = rows.finish(i, out + at);
  }
}

}  // namespace

cria_status attention(cria_queue *queue, int64_t t, int64_t heads, int64_t kv_heads, int64_t d,
                      int64_t sequence_count, const int32_t *sequences, float scale, const float *q,
                      const float *k, const float *v, float *out, float *lse) {
  CpuDevice &device = device_of(queue);
  const AttentionKernels &kernels = attention_kernels(device.tier);
  const Shape shape{t, heads, kv_heads, d};
  const AttentionPlan plan("attention", t, sequence_count, sequences, shape.group);
  zero_gaps(plan, heads * d, out);
  for (const AttentionPlan::Gap &gap : plan.gaps)
    std::fill(lse + gap.begin * heads, lse + gap.end * heads,
              -std::numeric_limits<float>::infinity());

  const int64_t tiles = (int64_t)plan.tiles.size(), blocks = (int64_t)plan.blocks.size();
  const int64_t tile_elements = shape.transposed + shape.upright;
  const int64_t most = heads_per_pass(plan, shape, tile_elements);
  ScratchBlock scratch(device, most * tiles * tile_elements * (int64_t)sizeof(float));
  for (int64_t first = 0; first < kv_heads; first += most) {
    const int64_t count = std::min(most, kv_heads - first);
    device.parallel(count * tiles, [&](int64_t task) {
      const AttentionPlan::Tile &tile = plan.tiles[task % tiles];
      const int64_t at =
          shape.key(plan.sequences[tile.sequence].start + tile.base, first + task / tiles);
      float *to = scratch.as<float>() + task * tile_elements;
      pack_transposed(tile.count, d, k + at, kv_heads * d, to);
      pack_upright(kernels, shape, tile.count, v + at, to + shape.transposed);
    });
    device.parallel(count * blocks, [&](int64_t task) {
      const int64_t head = task % count;
      forward_block(device, kernels, plan, shape, plan.blocks[plan.heavy_first[task / count]],
                    first + head, scale, q, scratch.as<float>() + head * tiles * tile_elements, out,
                    lse);
    });
  }
  return CRIA_OK;
}

}  // namespace cria::cpu
