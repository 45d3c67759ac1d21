// attention.h: the tier kernels of attention: products of small tiles, and the softmax between them.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

constexpr int64_t kTileKeys = 64;    // keys in a tile: columns of a tile of scores
constexpr int64_t kTileRows = 48;    // most rows (query position x head) in a tile of scores
constexpr int64_t kColumnUnit = 16;  // widths of tile products are multiples of this

// Scores are kept in base 2: log2(e) is folded into the scale of the queries.
constexpr double kLog2E = 1.4426950408889634;
constexpr double kLn2 = 0.6931471805599453;

struct AttentionKernels {
  // c[i][j] = keep[i] c[i][j] + sum over l < k of a(i, l) b[l][j], for i < m, j < n, where a(i, l) is a[i*a_row + l*a_k];
  // keep null overwrites c. n is a multiple of kColumnUnit. Sums run in the order of l.
  void (*multiply)(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_k,
                   const float *b, int64_t b_row, const float *keep, float *c, int64_t c_row);
  // The same with bf16 b.
  void (*multiply_bf16)(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_k,
                        const uint16_t *b, int64_t b_row, const float *keep, float *c,
                        int64_t c_row);
  // One step of the online softmax over tiles of scores [rows][kTileKeys], of which row i sees columns
  // low <= j < high[i] among the first n: raises the row maxima m, replaces scores by 2^(score - m), writes the factor
  // by which what was summed so far shrinks to keep, and updates the row sums l.
  void (*softmax)(int64_t rows, int64_t n, int64_t low, const int32_t *high, float *scores,
                  float *m, float *l, float *keep);
  // scores become p = 2^(score - lse2), dp becomes p * (dp - delta); 0 where row i does not see column j, up to n.
  void (*softmax_bwd)(int64_t rows, int64_t n, int64_t low, const int32_t *high, const float *lse2,
                      const float *delta, float *scores, float *dp);
  // to[i][j] = scale * x[i][j] for j < d, 0 for d <= j < to_row.
  void (*copy_row)(int64_t d, float scale, const float *x, int64_t to_row, float *to);
  float (*dot)(int64_t n, const float *x, const float *y);
};

CRIA_TIER_TABLE(AttentionKernels, attention_kernels)

}  // namespace cria::cpu
