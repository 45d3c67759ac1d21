// attention_bwd.cpp: the backward pass of attention (FlashAttention-2, Dao 2023).
//
//   p = exp(scale q.k - lse), dp = dout.v, delta = dout.out, ds = p (dp - delta)
//   dv = sum p dout, dk = scale sum ds q, dq = scale sum ds k
//
// A task is a chunk of keys of one head. It computes p and ds once, sums dk and dv, which it owns, and its share of dq,
// which is added to the shares of other chunks afterwards, in a fixed order.
#include <array>

#include "cpu/attention_chunks.h"
#include "cpu/attention_pack.h"
#include "cpu/attention_rows.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

// Where the packed forms of a tile, of a block and a slot are, from the start of each.
struct Layout {
  explicit Layout(const AttentionShape &shape)
      : values(shape.transposed),
        upright_keys(2 * shape.transposed),
        tile(2 * shape.transposed + shape.upright),
        depth(shape.kernels.words(kTileRows)),
        dout(kTileRows * shape.words),
        upright_queries(2 * dout),
        upright_dout(upright_queries + shape.kernels.panel_words(shape.width, depth)),
        lse2(upright_dout + shape.kernels.panel_words(shape.width, depth)),
        delta(lse2 + kTileRows),
        block(delta + kTileRows),
        slot(kTileRows * shape.width) {}

  // Of a tile: keys and values as of pack_transposed, keys as of pack_upright.
  int64_t values, upright_keys, tile;
  // Of a block: queries and dout as rows, then as of pack_upright with words(kTileRows) of depth; lse in base 2; delta.
  int64_t depth;
  int64_t dout, upright_queries, upright_dout, lse2, delta, block;
  // A share of dq, not yet scaled: [kTileRows][width].
  int64_t slot;
};

// The factors with which a sum is kept that goes on.
const float *ones() {
  static const std::array<float, std::max(kTileKeys, kTileRows)> values = [] {
    std::array<float, std::max(kTileKeys, kTileRows)> a;
    a.fill(1);
    return a;
  }();
  return values.data();
}

struct Gradients {
  CpuDevice &device;
  const AttentionShape &shape;
  const AttentionPlan &plan;
  const AttentionChunks &chunks;
  const Layout layout;
  const float scale;
  const float *q, *k, *v, *out, *lse, *dout;
  float *dq, *dk, *dv;

  int64_t words_of_head() const {
    return (int64_t)plan.tiles.size() * layout.tile + (int64_t)plan.blocks.size() * layout.block +
           (int64_t)chunks.block_of_slot.size() * layout.slot;
  }
  float *tile(float *head, int64_t i) const { return head + i * layout.tile; }
  float *block(float *head, int64_t i) const {
    return tile(head, (int64_t)plan.tiles.size()) + i * layout.block;
  }
  float *slot(float *head, int64_t i) const {
    return block(head, (int64_t)plan.blocks.size()) + i * layout.slot;
  }

  void pack_tile(int64_t number, int64_t kv_head, float *head) const;
  void pack_block(int64_t number, int64_t kv_head, float *head) const;
  void compute_chunk(const AttentionChunks::Chunk &chunk, int64_t kv_head, float *head) const;
  void sum_queries(int64_t number, int64_t kv_head, float *head) const;
};

void Gradients::pack_tile(int64_t number, int64_t kv_head, float *head) const {
  const AttentionPlan::Tile &from = plan.tiles[number];
  const int64_t at = shape.key(plan.sequences[from.sequence].start + from.base, kv_head);
  float *to = tile(head, number);
  shape.pack_transposed(from.count, k + at, to);
  shape.pack_transposed(from.count, v + at, to + layout.values);
  shape.pack_upright(from.count, k + at, to + layout.upright_keys);
}

void Gradients::pack_block(int64_t number, int64_t kv_head, float *head) const {
  const AttentionPlan::Block &from = plan.blocks[number];
  const int64_t start = plan.sequences[from.sequence].start, d = shape.d;
  const AttentionKernels &kernels = shape.kernels;
  float *to = block(head, number);
  // Rows of a group are not evenly spaced in memory; here they are.
  ScratchBlock scratch(device, 2 * kTileRows * d * (int64_t)sizeof(float));
  float *queries = scratch.as<float>(), *gradients = queries + kTileRows * d;
  for (int64_t i = 0; i < from.rows; i++) {
    const int64_t at = shape.query(start, kv_head, from.first + i);
    kernels.copy_row(d, 1, q + at, d, queries + i * d);
    kernels.copy_row(d, 1, dout + at, d, gradients + i * d);
    kernels.pack_row(d, q + at, to + i * shape.words);
    kernels.pack_row(d, dout + at, to + layout.dout + i * shape.words);
    to[layout.lse2 + i] = (float)(lse[at / d] * kLog2E);
    to[layout.delta + i] = kernels.delta(d, dout + at, out + at);
  }
  kernels.pack_upright(from.rows, d, queries, d, layout.depth, to + layout.upright_queries);
  kernels.pack_upright(from.rows, d, gradients, d, layout.depth, to + layout.upright_dout);
}

void Gradients::compute_chunk(const AttentionChunks::Chunk &chunk, int64_t kv_head,
                              float *head) const {
  const AttentionKernels &kernels = shape.kernels;
  const int64_t width = shape.width, words = shape.words, sums = kTileKeys * width;
  constexpr int64_t kTile = kTileRows * kTileKeys;
  ScratchBlock scratch(device, (2 * sums + 3 * kTile) * (int64_t)sizeof(float));
  float *dk_sum = scratch.as<float>(), *dv_sum = dk_sum + sums;
  float *p = dv_sum + sums, *ds = p + kTile, *separate = ds + kTile;
  float *ds_along_rows = kernels.per_word == 2 ? separate : ds;
  const float factor = score_factor(scale);
  float *slots = slot(head, chunk.first_slot);
  std::fill(slots, slots + chunk.slots * layout.slot, 0.0f);

  for (int64_t number = chunk.first_tile; number < chunk.first_tile + chunk.tiles; number++) {
    const AttentionPlan::Tile &keys = plan.tiles[number];
    const float *packed = tile(head, number);
    std::fill(dk_sum, dk_sum + 2 * sums, 0.0f);
    for (int64_t i = 0; i < chunk.slots; i++) {
      const int64_t row_block = chunks.block_of_slot[chunk.first_slot + i];
      const AttentionPlan::Block &rows_of = plan.blocks[row_block];
      const float *rows = block(head, row_block);
      float *dq_sum = slots + i * layout.slot;
      plan.see(rows_of, keys, [&](int64_t low, const int32_t *high) {
        each_piece(
            rows_of.rows, kBackwardStep, low, high,
            [&](int64_t first, int64_t count, int64_t most) {
              const int64_t n = round_up(most, kColumnUnit), begin = low / kernels.per_word;
              const int64_t first_word = first / kernels.per_word, pairs = kernels.words(count);
              kernels.multiply(count, n, words, rows + first * words, words, 1, packed, words,
                               nullptr, p, kTileKeys);
              kernels.multiply(count, n, words, rows + layout.dout + first * words, words, 1,
                               packed + layout.values, words, nullptr, ds, kTileKeys);
              kernels.softmax_bwd(count, n, low, high + first, factor, rows + layout.lse2 + first,
                                  rows + layout.delta + first, p, ds, ds_along_rows);
              const auto add_to_keys = [&](const float *a, int64_t panels, float *sum) {
                kernels.multiply(most - low, width, pairs, a + low, 1, kTileKeys,
                                 rows + panels + first_word * kernels.panel, layout.depth, ones(),
                                 sum + low * width, width);
              };
              add_to_keys(p, layout.upright_dout, dv_sum);
              add_to_keys(ds_along_rows, layout.upright_queries, dk_sum);
              kernels.multiply(count, width, kernels.words(most) - begin, ds + begin, kTileKeys, 1,
                               packed + layout.upright_keys + begin * kernels.panel,
                               kernels.words(kTileKeys), ones(), dq_sum + first * width, width);
            });
      });
    }
    for (int64_t i = 0; i < keys.count; i++) {
      const int64_t at = shape.key(plan.sequences[keys.sequence].start + keys.base + i, kv_head);
      kernels.copy_row(shape.d, scale, dk_sum + i * width, shape.d, dk + at);
      kernels.copy_row(shape.d, 1, dv_sum + i * width, shape.d, dv + at);
    }
  }
}

void Gradients::sum_queries(int64_t number, int64_t kv_head, float *head) const {
  const AttentionPlan::Block &rows = plan.blocks[number];
  const std::vector<int64_t> &shares = chunks.slots_of_block[number];
  float *sum = slot(head, shares[0]);
  for (size_t i = 1; i < shares.size(); i++) {
    const float *share = slot(head, shares[i]);
    for (int64_t j = 0; j < rows.rows * shape.width; j++) sum[j] += share[j];
  }
  const int64_t start = plan.sequences[rows.sequence].start;
  for (int64_t i = 0; i < rows.rows; i++)
    shape.kernels.copy_row(shape.d, scale, sum + i * shape.width, shape.d,
                           dq + shape.query(start, kv_head, rows.first + i));
}

}  // namespace

cria_status attention_bwd(cria_queue *queue, int64_t t, int64_t heads, int64_t kv_heads, int64_t d,
                          int64_t sequence_count, const int32_t *sequences, float scale,
                          cria_dtype precision, const float *q, const float *k, const float *v,
                          const float *out, const float *lse, const float *dout, float *dq,
                          float *dk, float *dv) {
  CpuDevice &device = device_of(queue);
  const AttentionShape shape{
      t, heads, kv_heads, d, heads / kv_heads, attention_kernels_of(device, precision)};
  const AttentionPlan plan("attention_bwd", t, sequence_count, sequences, shape.group);
  const AttentionChunks chunks(plan, kv_heads);
  fill_gaps(plan, heads * d, 0, dq);
  fill_gaps(plan, kv_heads * d, 0, dk);
  fill_gaps(plan, kv_heads * d, 0, dv);

  const Gradients gradients{device, shape, plan, chunks, Layout(shape), scale, q, k, v, out, lse,
                            dout,   dq,    dk,   dv};
  const auto tiles = (int64_t)plan.tiles.size(), blocks = (int64_t)plan.blocks.size(),
             parts = (int64_t)chunks.chunks.size();
  const int64_t words = gradients.words_of_head();
  const int64_t most =
      std::min(kv_heads, std::max<int64_t>(shape.heads_per_pass(words), 2 * device.threads()));
  ScratchBlock scratch(device, most * words * (int64_t)sizeof(float));
  for (int64_t first = 0; first < kv_heads; first += most) {
    const int64_t count = std::min(most, kv_heads - first);
    // visit(number, head, its scratch) for `numbers` pieces of each head.
    const auto for_heads = [&](int64_t numbers, const auto &visit) {
      device.parallel(count * numbers, [&](int64_t task) {
        const int64_t head = task % count;
        visit(task / count, first + head, scratch.as<float>() + head * words);
      });
    };
    for_heads(tiles + blocks, [&](int64_t number, int64_t head, float *at) {
      if (number < tiles) {
        gradients.pack_tile(number, head, at);
      } else {
        gradients.pack_block(number - tiles, head, at);
      }
    });
    for_heads(parts, [&](int64_t number, int64_t head, float *at) {
      gradients.compute_chunk(chunks.chunks[chunks.heavy_first[number]], head, at);
    });
    for_heads(blocks, [&](int64_t number, int64_t head, float *at) {
      gradients.sum_queries(number, head, at);
    });
  }
  return CRIA_OK;
}

}  // namespace cria::cpu
