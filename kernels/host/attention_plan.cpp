// attention_plan.cpp: cuts packed sequences into blocks of query rows and of keys.
#include "host/attention_plan.h"

#include <algorithm>

namespace cria::gpu {
namespace {

// Calls cut(first, rows) for stretches of at most `step` of `length` rows.
template <class Cut>
void each_block(int64_t length, int64_t step, const Cut &cut) {
  for (int64_t first = 0; first < length; first += step)
    cut(static_cast<int32_t>(first), static_cast<int32_t>(std::min(step, length - first)));
}

template <class Block, class Work>
void sort_longest_first(std::vector<Block> &blocks, const Work &work) {
  std::stable_sort(blocks.begin(), blocks.end(),
                   [&](const Block &a, const Block &b) { return work(a) > work(b); });
}

}  // namespace

std::vector<QueryBlock> query_blocks(const PackedSequences &packed, int64_t rows_per_block) {
  std::vector<QueryBlock> blocks;
  for (const PackedSequences::Sequence &s : packed.sequences) {
    const auto start = static_cast<int32_t>(s.start), prefix = static_cast<int32_t>(s.prefix);
    int32_t prefix_row = 0;
    if (prefix > 0) prefix_row = static_cast<int32_t>(packed.sequences[s.owner].start + s.offset);
    each_block(s.length, rows_per_block, [&](int32_t first, int32_t rows) {
      blocks.push_back({start + first, rows, first, first + rows, prefix_row, prefix});
    });
  }
  sort_longest_first(blocks,
                     [](const QueryBlock &b) { return int64_t{b.keys} + int64_t{b.prefix}; });
  for (const PackedSequences::Gap &gap : packed.gaps)
    each_block(gap.end - gap.begin, rows_per_block, [&](int32_t first, int32_t rows) {
      blocks.push_back({static_cast<int32_t>(gap.begin) + first, rows, 0, 0, 0, 0});
    });
  return blocks;
}

KeyPlan key_plan(const PackedSequences &packed, int64_t rows_per_block) {
  KeyPlan plan;
  for (size_t i = 0; i < packed.sequences.size(); i++) {
    const PackedSequences::Sequence &s = packed.sequences[i];
    const auto start = static_cast<int32_t>(s.start), length = static_cast<int32_t>(s.length);
    const auto first_view = static_cast<int32_t>(plan.views.size());
    plan.views.push_back({start, length, 0, length});
    for (int64_t viewer : packed.viewers[i]) {
      const PackedSequences::Sequence &v = packed.sequences[viewer];
      plan.views.push_back({static_cast<int32_t>(v.start), static_cast<int32_t>(v.length),
                            static_cast<int32_t>(v.offset),
                            static_cast<int32_t>(v.offset + v.prefix)});
    }
    const auto views = static_cast<int32_t>(plan.views.size()) - first_view;
    each_block(s.length, rows_per_block, [&](int32_t first, int32_t rows) {
      plan.blocks.push_back({start + first, rows, first, first_view, views});
    });
  }
  // Rows of viewers are counted for every block of their owner, though their prefix may be elsewhere in it.
  std::vector<int64_t> seen_by(plan.views.size() + 1, 0);  // rows of the views before
  for (size_t i = 0; i < plan.views.size(); i++) seen_by[i + 1] = seen_by[i] + plan.views[i].rows;
  sort_longest_first(plan.blocks, [&](const KeyBlock &b) {
    return seen_by[b.first_view + b.views] - seen_by[b.first_view] - b.position;
  });
  for (const PackedSequences::Gap &gap : packed.gaps)
    each_block(gap.end - gap.begin, rows_per_block, [&](int32_t first, int32_t rows) {
      plan.blocks.push_back({static_cast<int32_t>(gap.begin) + first, rows, 0, 0, 0});
    });
  return plan;
}

}  // namespace cria::gpu
