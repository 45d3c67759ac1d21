// sequences.cpp: checks the sequences of a packed batch.
#include "abi/sequences.h"

#include <algorithm>

#include "abi/error.h"

namespace cria {
namespace {

// The sequence among `order` (ascending starts) that holds rows begin .. end, or -1.
int64_t holder(const std::vector<PackedSequences::Sequence> &sequences,
               const std::vector<int64_t> &order, int64_t begin, int64_t end) {
  auto after = std::upper_bound(order.begin(), order.end(), begin,
                                [&](int64_t row, int64_t s) { return row < sequences[s].start; });
  if (after == order.begin()) return -1;
  const PackedSequences::Sequence &s = sequences[*--after];
  return end <= s.start + s.length ? *after : -1;
}

}  // namespace

PackedSequences::PackedSequences(const char *operation, int64_t t, int64_t count,
                                 const int32_t *quads)
    : viewers(count) {
  std::vector<int64_t> order;
  for (int64_t s = 0; s < count; s++) {
    const int64_t start = quads[4 * s], length = quads[4 * s + 1];
    if (start < 0 || length < 0 || start + length > t)
      fail(CRIA_INVALID_ARGUMENT,
           "%s: sequence %lld: rows %lld .. %lld are not within the %lld rows of the batch",
           operation, (long long)s, (long long)start, (long long)(start + length), (long long)t);
    sequences.push_back({start, length, -1, 0, 0});
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

  for (int64_t s = 0; s < count; s++) {
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

}  // namespace cria
