// attention_pack.cpp: packs tiles of keys and values.
#include "cpu/attention_pack.h"

namespace cria::cpu {
namespace {

constexpr int64_t kPassBytes = 16 << 20;  // packed tiles that a pass should not exceed

}  // namespace

int64_t AttentionShape::heads_per_pass(int64_t tiles, int64_t tile_elements) const {
  const int64_t bytes =
      std::max<int64_t>(1, tiles) * tile_elements * static_cast<int64_t>(sizeof(float));
  return std::min(kv_heads, std::max<int64_t>(1, kPassBytes / bytes));
}

void AttentionShape::pack_transposed(int64_t count, const float *x, float *to) const {
  const int64_t x_row = kv_heads * d;
  for (int64_t i = 0; i < count; i += kColumnUnit) {
    const int64_t keys = std::min(kColumnUnit, count - i);
    for (int64_t j = 0; j < d; j++) {
      float *column = to + j * kTileKeys + i;
      for (int64_t key = 0; key < keys; key++) column[key] = x[(i + key) * x_row + j];
      for (int64_t key = keys; key < kColumnUnit; key++) column[key] = 0;
    }
  }
}

void AttentionShape::pack_upright(const AttentionKernels &kernels, int64_t count, const float *x,
                                  float *to) const {
  for (int64_t i = 0; i < count; i++)
    kernels.copy_row(d, 1, x + i * kv_heads * d, width, to + i * width);
}

void fill_gaps(const AttentionPlan &plan, int64_t width, float value, float *x) {
  for (const PackedSequences::Gap &gap : plan.gaps)
    std::fill(x + gap.begin * width, x + gap.end * width, value);
}

}  // namespace cria::cpu
