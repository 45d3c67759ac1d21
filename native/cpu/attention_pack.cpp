// attention_pack.cpp: packs tiles of keys and values.
#include "cpu/attention_pack.h"

namespace cria::cpu {
namespace {

constexpr int64_t kPassWords = 4 << 20;  // packed tiles that a pass should not exceed

}  // namespace

int64_t AttentionShape::heads_per_pass(int64_t words_of_head) const {
  return std::min(kv_heads, std::max<int64_t>(1, kPassWords / std::max<int64_t>(1, words_of_head)));
}

void fill_gaps(const AttentionPlan &plan, int64_t width, float value, float *x) {
  for (const PackedSequences::Gap &gap : plan.gaps)
    std::fill(x + gap.begin * width, x + gap.end * width, value);
}

}  // namespace cria::cpu
