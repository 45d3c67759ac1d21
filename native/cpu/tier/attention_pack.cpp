// attention_pack.cpp: rows and panels of words from rows of queries, keys, values and gradients.
#include "cpu/tier/attention_kernels.h"
#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

constexpr int64_t kMostWidth = 128;

// The words of `count` rows, x itself, or its bf16 in `stage`.
struct Rows {
  const float *words;
  int64_t row;
};

template <int PerWord>
CRIA_INLINE Rows words_of_rows(int64_t count, int64_t d, const float *x, int64_t x_row,
                               float *stage) {
  if (PerWord == 1) return {x, x_row};
  const int64_t row = words_of(PerWord, d);
  for (int64_t i = 0; i < count; i++) pack_row<PerWord>(d, x + i * x_row, stage + i * row);
  return {stage, row};
}

CRIA_INLINE int64_t at_most(int64_t n, int64_t most) { return n < most ? n : most; }

}  // namespace

template <int PerWord>
void pack_row(int64_t d, const float *x, float *to) {
  if (PerWord == 1) {
    copy(1, d, x, d, to, d);
    return;
  }
  if (d % 2) to[d / 2] = 0;
  to_bf16(d, x, reinterpret_cast<uint16_t *>(to));
}

template <int PerWord>
void pack_transposed(int64_t count, int64_t d, const float *x, int64_t x_row, float *to) {
  alignas(64) float stage[kTileKeys * kMostWidth / 2];
  const int64_t k = words_of(PerWord, d);
  if (count < kTileKeys) __builtin_memset(to, 0, (size_t)(kTileKeys * k) * sizeof *to);
  const Rows rows = words_of_rows<PerWord>(count, d, x, x_row, stage);
  for (int64_t i = 0; i < count; i += kPanel) {
    transpose(at_most(count - i, kPanel), k, rows.words + i * rows.row, rows.row, to + i * k,
              kPanel);
  }
}

template <int PerWord>
void pack_upright(int64_t count, int64_t d, const float *x, int64_t x_row, int64_t depth,
                  float *to) {
  const int64_t width = (d + kColumnUnit - 1) / kColumnUnit * kColumnUnit;
  if constexpr (PerWord == 2) {
    alignas(64) uint16_t stage[kTileKeys * kMostWidth];
    for (int64_t i = 0; i < count; i++) {
      to_bf16(d, x + i * x_row, stage + i * width);
      for (int64_t j = d; j < width; j++) stage[i * width + j] = 0;
    }
    for (int64_t j = 0; j < width; j += kPanel) {
      interleave(count, at_most(width - j, kPanel), stage + j, width,
                 reinterpret_cast<uint32_t *>(to + j * depth), kPanel);
    }
    return;
  }
  for (int64_t j = 0; j < width; j += kPanel) {
    float *panel = to + j * depth;
    const int64_t columns = at_most(width - j, kPanel), filled = j < d ? at_most(d - j, kPanel) : 0;
    copy(count, filled, x + j, x_row, panel, kPanel);
    if (filled == columns) continue;
    for (int64_t i = 0; i < count; i++) {
      for (int64_t c = filled; c < columns; c++) panel[i * kPanel + c] = 0;
    }
  }
}

void copy_row(int64_t d, float scale, const float *x, int64_t to_row, float *to) {
  const vf factor = set(scale);
  for_vectors(d,
              [&](int64_t j, int64_t lanes) { store(to + j, factor * load(x + j, lanes), lanes); });
  for (int64_t j = d; j < to_row; j++) to[j] = 0;
}

template void pack_row<1>(int64_t, const float *, float *);
template void pack_transposed<1>(int64_t, int64_t, const float *, int64_t, float *);
template void pack_upright<1>(int64_t, int64_t, const float *, int64_t, int64_t, float *);
#if CRIA_TIER >= 3
template void pack_row<2>(int64_t, const float *, float *);
template void pack_transposed<2>(int64_t, int64_t, const float *, int64_t, float *);
template void pack_upright<2>(int64_t, int64_t, const float *, int64_t, int64_t, float *);
#endif

}  // namespace cria::cpu::CRIA_TIER_NS
