// attention_plan.cpp: cuts the sequences of a packed batch into tiles and blocks.
#include "cpu/attention_plan.h"

#include <numeric>

namespace cria::cpu {

AttentionPlan::AttentionPlan(const char *operation, int64_t t, int64_t sequence_count,
                             const int32_t *quads, int64_t group_size)
    : group(group_size) {
  PackedSequences packed(operation, t, sequence_count, quads);
  gaps = std::move(packed.gaps);
  viewers = std::move(packed.viewers);
  std::vector<int64_t> seen;  // by block: keys that its last row sees
  for (const PackedSequences::Sequence &s : packed.sequences) {
    const auto number = (int64_t)sequences.size();
    const int64_t rows = s.length * group;
    sequences.push_back({s, (int64_t)tiles.size(), divide_up(s.length, kTileKeys),
                         (int64_t)blocks.size(), divide_up(rows, kTileRows)});
    for (int64_t base = 0; base < s.length; base += kTileKeys)
      tiles.push_back({number, base, std::min(kTileKeys, s.length - base)});
    for (int64_t first = 0; first < rows; first += kTileRows) {
      blocks.push_back({number, first, std::min(kTileRows, rows - first)});
      seen.push_back(s.prefix + (first + kTileRows) / group);
    }
  }
  heavy_first.resize(blocks.size());
  std::iota(heavy_first.begin(), heavy_first.end(), 0);
  std::stable_sort(heavy_first.begin(), heavy_first.end(),
                   [&](int64_t a, int64_t b) { return seen[a] > seen[b]; });
}

}  // namespace cria::cpu
