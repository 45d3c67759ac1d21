// attention_pack.h: tiles of keys and values in the forms that attention multiplies with.
//
// A call goes over the key/value heads in passes. A pass packs the tiles of its heads, then works on all of them.
#pragma once

#include "cpu/attention_plan.h"

namespace cria::cpu {

// Shapes of one call.
struct AttentionShape {
  int64_t t, heads, kv_heads, d;
  int64_t group = heads / kv_heads;
  const AttentionKernels &kernels;
  int64_t width = round_up(d, kColumnUnit);  // of sums
  int64_t words = kernels.words(d);          // of a row
  // Words of a tile of keys or values, as of pack_transposed and pack_upright.
  int64_t transposed = kernels.panel_words(kTileKeys, words);
  int64_t upright = kernels.panel_words(width, kernels.words(kTileKeys));

  // Row r (position, head of the group) of a sequence in q-shaped tensors [T, H*D].
  int64_t query(int64_t start, int64_t kv_head, int64_t r) const {
    return ((start + r / group) * heads + kv_head * group + r % group) * d;
  }
  int64_t key(int64_t row, int64_t kv_head) const { return (row * kv_heads + kv_head) * d; }

  // Key/value heads per pass when each needs so many words of scratch.
  int64_t heads_per_pass(int64_t words_of_head) const;

  // Packs `count` rows of k or v.
  void pack_transposed(int64_t count, const float *x, float *to) const {
    kernels.pack_transposed(count, d, x, kv_heads * d, to);
  }
  void pack_upright(int64_t count, const float *x, float *to) const {
    kernels.pack_upright(count, d, x, kv_heads * d, kernels.words(kTileKeys), to);
  }
};

// x = value in the rows, `width` wide, that belong to no sequence.
void fill_gaps(const AttentionPlan &plan, int64_t width, float value, float *x);

}  // namespace cria::cpu
