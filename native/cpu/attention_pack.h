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
  int64_t width = round_up(d, kColumnUnit);  // of packed rows
  int64_t transposed = d * kTileKeys;        // elements of a packed tile [d][kTileKeys]
  int64_t upright = kTileKeys * width;       // elements of a packed tile [kTileKeys][width]

  // Row r (position, head of the group) of a sequence in q-shaped tensors [T, H*D].
  int64_t query(int64_t start, int64_t kv_head, int64_t r) const {
    return ((start + r / group) * heads + kv_head * group + r % group) * d;
  }
  int64_t key(int64_t row, int64_t kv_head) const { return (row * kv_heads + kv_head) * d; }

  // Key/value heads per pass for so many tiles of tile_elements floats each.
  int64_t heads_per_pass(int64_t tiles, int64_t tile_elements) const;

  // Packs `count` rows of k or v as [d][kTileKeys]; columns up to the next multiple of kColumnUnit are zero.
  void pack_transposed(int64_t count, const float *x, float *to) const;
  // Packs `count` rows of k or v as rows of `width`, padded with zeros.
  void pack_upright(const AttentionKernels &kernels, int64_t count, const float *x,
                    float *to) const;
};

// x = value in the rows, `width` wide, that belong to no sequence.
void fill_gaps(const AttentionPlan &plan, int64_t width, float value, float *x);

}  // namespace cria::cpu
