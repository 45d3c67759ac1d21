// attention.cpp: the forward pass of causal attention over packed sequences, in flash form.
#include <limits>

#include "cpu/attention_pack.h"
#include "cpu/attention_rows.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {

cria_status attention(cria_queue *queue, int64_t t, int64_t heads, int64_t kv_heads, int64_t d,
                      int64_t sequence_count, const int32_t *sequences, float scale,
                      cria_dtype precision, const float *q, const float *k, const float *v,
                      float *out, float *lse) {
  CpuDevice &device = device_of(queue);
  const AttentionKernels &kernels = attention_kernels_of(device, precision);
  const AttentionShape shape{t, heads, kv_heads, d, heads / kv_heads, kernels};
  const AttentionPlan plan("attention", t, sequence_count, sequences, shape.group);
  fill_gaps(plan, heads * d, 0, out);
  fill_gaps(plan, heads, -std::numeric_limits<float>::infinity(), lse);

  const int64_t tiles = (int64_t)plan.tiles.size(), blocks = (int64_t)plan.blocks.size();
  const int64_t tile_words = shape.transposed + shape.upright;
  const int64_t most = shape.heads_per_pass(tiles * tile_words);
  ScratchBlock scratch(device, most * tiles * tile_words * (int64_t)sizeof(float));
  float *packed = scratch.as<float>();
  for (int64_t first = 0; first < kv_heads; first += most) {
    const int64_t count = std::min(most, kv_heads - first);
    device.parallel(count * tiles, [&](int64_t task) {
      const AttentionPlan::Tile &tile = plan.tiles[task % tiles];
      const int64_t at =
          shape.key(plan.sequences[tile.sequence].start + tile.base, first + task / tiles);
      float *to = packed + task * tile_words;
      shape.pack_transposed(tile.count, k + at, to);
      shape.pack_upright(tile.count, v + at, to + shape.transposed);
    });
    device.parallel(count * blocks, [&](int64_t task) {
      const int64_t head = task % count;
      const AttentionPlan::Block &block = plan.blocks[plan.heavy_first[task / count]];
      const int64_t start = plan.sequences[block.sequence].start;
      PackedAttentionRows rows(device, kernels, block.rows, d, scale);
      for (int64_t i = 0; i < block.rows; i++)
        rows.set_query(i, q + shape.query(start, first + head, block.first + i));
      plan.see_all(block, [&](int64_t tile, int64_t low, const int32_t *high) {
        const float *keys = packed + (head * tiles + tile) * tile_words;
        rows.see(keys, keys + shape.transposed, low, high);
      });
      for (int64_t i = 0; i < block.rows; i++) {
        const int64_t at = shape.query(start, first + head, block.first + i);
        lse[at / d] = rows.finish(i, out + at);
      }
    });
  }
  return CRIA_OK;
}

}  // namespace cria::cpu
