// attention_plan.cpp: checks the sequences of a packed batch and cuts them into tiles and blocks.
#include "cpu/attention_plan.h"

#include <numeric>

#include "abi/error.h"

namespace cria::cpu {
namespace {

// The sequence among `order` (ascending starts) that holds rows begin .. end, or -1.
int64_t holder(const std::vector<AttentionPlan::Sequence> &sequences,
               const std::vector<int64_t> &order, int64_t begin, int64_t end) {
  auto after = std::upper_bound(order.begin(), order.end(), begin,
                                [&](int64_t row, int64_t s) { return row < sequences[s].start; });
  if (after == order.begin()) return -1;
  const AttentionPlan::Sequence &s = sequences[*--after];
  return end <= s.start + s.length ? *after : -1;
}

}  // namespace

AttentionPlan::AttentionPlan(const char *operation, int64_t t, int64_t sequence_count,
                             const int32_t *quads, int64_t group_size)
    : group(group_size) {
  read(operation, t, sequence_count, quads);
  cut();
}

void AttentionPlan::read(const char *operation, int64_t t, int64_t sequence_count,
                         const int32_t *quads) {
  std::vector<int64_t> order;
  for (int64_t s = 0; s < sequence_count; s++) {
    const int64_t start = quads[4 * s], length = quads[4 * s + 1];
    if (start < 0 || length < 0 || start + length > t)
      fail(CRIA_INVALID_ARGUMENT,
           "%s: sequence %lld: rows %lld .. %lld are not within the %lld rows of the batch",
           operation, (long long)s, (long long)start, (long long)(start + length), (long long)t);
    sequences.push_back({start, length, -1, 0, 0, 0, 0, 0, 0});
    if (length > 0) order.push_back(s);
  }
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return sequences[a].start < sequences[b].start; });
  int64_t end = 0;
  for (size_t i = 0; i < order.size(); i++) {
    const Sequence &s = sequences[order[i]];
    if (s.start < end)
      fail(CRIA_INVALID_ARGUMENT, "%s: sequences %lld and %lld overlap at row %lld", operation,
           (long long)order[i - 1], (long long)order[i], (long long)s.start);
    if (s.start > end) gaps.push_back({end, s.start});
    end = s.start + s.length;
  }
  if (end < t) gaps.push_back({end, t});

  viewers.resize(sequences.size());
  for (int64_t s = 0; s < sequence_count; s++) {
    const int64_t start = quads[4 * s + 2], length = quads[4 * s + 3];
    if (length == 0) continue;
    const bool within = start >= 0 && length > 0 && start + length <= t;
    const int64_t owner = within ? holder(sequences, order, start, start + length) : -1;
    if (owner < 0 || owner == s)
      fail(CRIA_INVALID_ARGUMENT,
           "%s: sequence %lld: its prefix, rows %lld .. %lld, is not within another sequence of "
           "the batch of %lld rows",
           operation, (long long)s, (long long)start, (long long)(start + length), (long long)t);
    if (sequences[s].length == 0) continue;
    sequences[s].owner = owner;
    sequences[s].offset = start - sequences[owner].start;
    sequences[s].prefix = length;
    viewers[owner].push_back(s);
  }
}

void AttentionPlan::cut() {
  std::vector<int64_t> seen;  // by block: keys that its last row sees
  for (size_t i = 0; i < sequences.size(); i++) {
    Sequence &s = sequences[i];
    s.first_tile = (int64_t)tiles.size();
    s.tiles = divide_up(s.length, kTileKeys);
    for (int64_t base = 0; base < s.length; base += kTileKeys)
      tiles.push_back({(int64_t)i, base, std::min(kTileKeys, s.length - base)});
    s.first_block = (int64_t)blocks.size();
    s.blocks = divide_up(s.length * group, kTileRows);
    for (int64_t first = 0; first < s.length * group; first += kTileRows) {
      blocks.push_back({(int64_t)i, first, std::min(kTileRows, s.length * group - first)});
      seen.push_back(s.prefix + (first + kTileRows) / group);
    }
  }
  heavy_first.resize(blocks.size());
  std::iota(heavy_first.begin(), heavy_first.end(), 0);
  std::stable_sort(heavy_first.begin(), heavy_first.end(),
                   [&](int64_t a, int64_t b) { return seen[a] > seen[b]; });
}

}  // namespace cria::cpu
