// attention_chunks.h: the work of attention's backward pass cut into chunks of keys that are computed side by side.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/attention_plan.h"

namespace cria::cpu {

// A chunk is some adjacent tiles of a sequence, with all blocks of rows that see any of them. It owns the gradients of its
// keys and values; its share of a block's gradient of queries has a slot of its own, and a block's slots are summed in the
// order of slots_of_block: its prefix first. The cut depends on the sequence and on the number of heads alone, so that a
// sequence gives the same bits in any batch.
struct AttentionChunks {
  struct Chunk {
    int64_t first_tile, tiles;
    int64_t first_slot, slots;
  };

  AttentionChunks(const AttentionPlan &plan, int64_t kv_heads);

  std::vector<Chunk> chunks;
  std::vector<int64_t> block_of_slot;
  std::vector<std::vector<int64_t>> slots_of_block;
  std::vector<int64_t> heavy_first;  // chunks, those with most work first
};

}  // namespace cria::cpu
