// attention_plan.h: which rows see which keys: the sequences of a packed batch cut into tiles of keys and blocks of
// query rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "abi/sequences.h"
#include "cpu/kernels/attention.h"
#include "cpu/rounding.h"

namespace cria::cpu {

// Tiles and blocks start at the first row of their sequence, so that a sequence gives the same bits wherever it lies in
// the batch. Query rows are numbered (position, head of the group): row r of a sequence is head r % group of position
// r / group.
struct AttentionPlan {
  struct Sequence : PackedSequences::Sequence {
    int64_t first_tile, tiles;
    int64_t first_block, blocks;
  };
  struct Tile {
    int64_t sequence;
    int64_t base;   // first key, counted from the start of the sequence
    int64_t count;  // keys, at most kTileKeys
  };
  struct Block {
    int64_t sequence;
    int64_t first, rows;
  };

  // Throws what PackedSequences does.
  AttentionPlan(const char *operation, int64_t t, int64_t sequence_count, const int32_t *quads,
                int64_t group_size);

  int64_t group;
  std::vector<Sequence> sequences;
  std::vector<Tile> tiles;
  std::vector<Block> blocks;
  std::vector<int64_t> heavy_first;  // blocks, those that see most keys first
  std::vector<PackedSequences::Gap> gaps;
  std::vector<std::vector<int64_t>> viewers;  // by owner: the sequences whose prefix it holds

  // visit(low, high): what the rows of a block see of a tile: row i keys low .. high[i], and high ascends. The tile belongs to
  // the block's sequence or to the owner of its prefix. Not called where no row sees any key.
  template <class Visit>
  void see(const Block &block, const Tile &tile, const Visit &visit) const {
    const Sequence &own = sequences[block.sequence];
    int32_t high[kTileRows];
    int64_t low = 0, most = 0;
    if (tile.sequence == block.sequence) {
      for (int64_t i = 0; i < block.rows; i++) {
        high[i] = (int32_t)clamp((block.first + i) / group + 1 - tile.base, tile.count);
        most = std::max<int64_t>(most, high[i]);
      }
    } else {
      low = clamp(own.offset - tile.base, tile.count);
      most = clamp(own.offset + own.prefix - tile.base, tile.count);
      std::fill(high, high + block.rows, (int32_t)most);
    }
    if (most > low) visit(low, high);
  }

  // visit(tile number, low, high) for all tiles that a block sees: the prefix first, then its own sequence.
  template <class Visit>
  void see_all(const Block &block, const Visit &visit) const {
    const Sequence &own = sequences[block.sequence];
    const auto range = [&](int64_t first, int64_t last) {
      for (int64_t tile = first; tile <= last; tile++)
        see(block, tiles[tile], [&](int64_t low, const int32_t *high) { visit(tile, low, high); });
    };
    if (own.owner >= 0) {
      const int64_t first = sequences[own.owner].first_tile;
      range(first + own.offset / kTileKeys, first + (own.offset + own.prefix - 1) / kTileKeys);
    }
    range(own.first_tile, own.first_tile + (block.first + block.rows - 1) / group / kTileKeys);
  }

 private:
  static int64_t clamp(int64_t x, int64_t most) { return std::min(std::max<int64_t>(x, 0), most); }
};

// piece(first, rows, most): stretches of rows that are worth computing together: all of them where they see the same
// keys, else (on the diagonal) `step` rows at a time, each as wide as its last row needs.
template <class Piece>
void each_piece(int64_t rows, int64_t step, int64_t low, const int32_t *high, const Piece &piece) {
  if (high[0] == high[rows - 1]) step = rows;  // high ascends
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    const int64_t most = high[first + count - 1];
    if (most > low) piece(first, count, most);
  }
}

}  // namespace cria::cpu
