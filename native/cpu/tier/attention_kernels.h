// attention_kernels.h: the routines of one tier's AttentionKernels table, across the tier files that define them.
#pragma once

#include "cpu/kernels/attention.h"

namespace cria::cpu::CRIA_TIER_NS {

#if CRIA_TIER >= 2
constexpr int64_t kPanel = 64;
#elif CRIA_TIER == 1
constexpr int64_t kPanel = 16;
#else
constexpr int64_t kPanel = 8;
#endif

// Of `per_word` elements each.
constexpr int64_t words_of(int per_word, int64_t n) { return (n + per_word - 1) / per_word; }

// What depends on the elements of a word, for 1 and, in tiers that multiply bf16, for 2.

// attention_softmax.cpp
template <int PerWord>
void softmax(int64_t rows, int64_t n, int64_t low, const int32_t *high, float factor, float *scores,
             float *m, float *l, float *keep);
template <int PerWord>
void softmax_bwd(int64_t rows, int64_t n, int64_t low, const int32_t *high, float factor,
                 const float *lse2, const float *delta, float *scores, float *dp,
                 float *ds_along_rows);
// attention_pack.cpp
template <int PerWord>
void pack_row(int64_t d, const float *x, float *to);
template <int PerWord>
void pack_transposed(int64_t count, int64_t d, const float *x, int64_t x_row, float *to);
template <int PerWord>
void pack_upright(int64_t count, int64_t d, const float *x, int64_t x_row, int64_t depth,
                  float *to);
void copy_row(int64_t d, float scale, const float *x, int64_t to_row, float *to);

}  // namespace cria::cpu::CRIA_TIER_NS
