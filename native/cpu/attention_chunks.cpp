// attention_chunks.cpp: cuts the tiles of sequences into chunks.
#include "cpu/attention_chunks.h"

#include <cmath>
#include <numeric>

namespace cria::cpu {
namespace {

constexpr int64_t kWantedTasks = 32;  // heads times chunks of a long sequence
constexpr int64_t kMostChunks = 4;    // each adds a slot per block
constexpr int64_t kLeastTiles = 4;    // of a chunk

// Where chunk i of n begins: the first tiles are seen by most rows, so that equal work is not equal numbers of tiles.
int64_t first_tile_of(int64_t i, int64_t n, int64_t tiles) {
  const double left = 1 - static_cast<double>(i) / static_cast<double>(n);
  return std::llround(static_cast<double>(tiles) * (1 - std::sqrt(left)));
}

}  // namespace

AttentionChunks::AttentionChunks(const AttentionPlan &plan, int64_t kv_heads)
    : slots_of_block(plan.blocks.size()) {
  std::vector<std::vector<int64_t>> own_slots(plan.blocks.size());
  const auto add_slots = [&](int64_t first, int64_t last,
                             std::vector<std::vector<int64_t>> &of_block) {
    for (int64_t b = first; b < last; b++) {
      of_block[b].push_back((int64_t)block_of_slot.size());
      block_of_slot.push_back(b);
    }
  };
  const int64_t most = std::min(kMostChunks, std::max<int64_t>(1, kWantedTasks / kv_heads));
  for (size_t s = 0; s < plan.sequences.size(); s++) {
    const AttentionPlan::Sequence &owner = plan.sequences[s];
    const int64_t count = std::min(most, std::max<int64_t>(1, owner.tiles / kLeastTiles));
    for (int64_t i = 0; i < count; i++) {
      const int64_t begin = first_tile_of(i, count, owner.tiles);
      const int64_t tiles = first_tile_of(i + 1, count, owner.tiles) - begin;
      if (tiles == 0) continue;
      Chunk chunk{owner.first_tile + begin, tiles, (int64_t)block_of_slot.size(), 0};
      const int64_t first_row = plan.tiles[chunk.first_tile].base * plan.group;
      add_slots(owner.first_block + first_row / kTileRows, owner.first_block + owner.blocks,
                own_slots);
      for (int64_t viewer : plan.viewers[s]) {
        const AttentionPlan::Sequence &other = plan.sequences[viewer];
        add_slots(other.first_block, other.first_block + other.blocks, slots_of_block);
      }
      chunk.slots = (int64_t)block_of_slot.size() - chunk.first_slot;
      chunks.push_back(chunk);
    }
  }
  for (size_t b = 0; b < own_slots.size(); b++)
    slots_of_block[b].insert(slots_of_block[b].end(), own_slots[b].begin(), own_slots[b].end());
  heavy_first.resize(chunks.size());
  std::iota(heavy_first.begin(), heavy_first.end(), 0);
  std::stable_sort(heavy_first.begin(), heavy_first.end(), [&](int64_t a, int64_t b) {
    return chunks[a].tiles * chunks[a].slots > chunks[b].tiles * chunks[b].slots;
  });
}

}  // namespace cria::cpu
