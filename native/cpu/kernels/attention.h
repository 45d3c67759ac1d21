// attention.h: the tier kernels of attention: products of small tiles, the softmax between them, and packing.
//
// The operands of products are words of 32 bits: a float32, or two bf16 that follow each other along the sum, where the
// tier multiplies such pairs. `words(n)` words hold n of them; a missing second one is zero. Results are float32.
//
//   rows    [m][words(k)]           the left operand
//   panels  [n / panel][words(k)][panel]    the right operand: panel columns each
//
// A left operand whose sum goes over rows of scores is [words(k)][kTileKeys] instead, read by strides.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

constexpr int64_t kTileKeys = 64;    // keys in a tile: columns of a tile of scores
constexpr int64_t kTileRows = 48;    // most rows (query position x head) in a tile of scores; even
constexpr int64_t kColumnUnit = 16;  // widths of tile products are multiples of this

// Softmax works in base 2.
constexpr double kLog2E = 1.4426950408889634;
constexpr double kLn2 = 0.6931471805599453;

struct AttentionKernels {
  int per_word;   // 1, or 2 where pairs of bf16 are multiplied
  int64_t panel;  // columns of a panel; divides kTileKeys

  int64_t words(int64_t n) const { return (n + per_word - 1) / per_word; }
  // Words of n columns of panels with k words each.
  int64_t panel_words(int64_t n, int64_t k) const { return (n + panel - 1) / panel * panel * k; }

  // c[i][j] = keep[i] c[i][j] + sum over l < k of a(i, l) b(l, j), for i < m, j < n, where a(i, l) is the word
  // a[i*a_row + l*a_k] and b the panels, each of `depth` words a column; keep null overwrites c. n is a multiple of
  // kColumnUnit. Sums run in the order of l.
  void (*multiply)(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_k,
                   const float *b, int64_t depth, const float *keep, float *c, int64_t c_row);

  // One step of the online softmax over tiles of products [rows][kTileKeys], of which row i sees columns
  // low <= j < high[i] among the first n; a score is factor (not 0) times a product. Raises the row maxima m, replaces
  // products by 2^(score - m) as words at the start of each row, writes the factor by which what was summed so far shrinks
  // to keep, and updates the row sums l. Columns that are not seen become 0.
  void (*softmax)(int64_t rows, int64_t n, int64_t low, const int32_t *high, float factor,
                  float *scores, float *m, float *l, float *keep);
  // p = 2^(factor products - lse2) and ds = p (dp - delta), 0 where row i does not see column j, up to n. `scores`, the
  // products, become p as words [words(rows)][kTileKeys] along the rows; dp becomes ds as words at the start of each row.
  // ds_along_rows gets ds as words [words(rows)][kTileKeys] where per_word is 2; else dp is that already.
  void (*softmax_bwd)(int64_t rows, int64_t n, int64_t low, const int32_t *high, float factor,
                      const float *lse2, const float *delta, float *scores, float *dp,
                      float *ds_along_rows);

  // to[words(d)]: the words of a row of d.
  void (*pack_row)(int64_t d, const float *x, float *to);
  // Panels of x^T for `count` rows of x, x_row apart: [kTileKeys / panel][words(d)][panel], kTileKeys columns, those behind
  // the last are zero.
  void (*pack_transposed)(int64_t count, int64_t d, const float *x, int64_t x_row, float *to);
  // Panels of x for `count` rows of x: [width / panel][depth][panel], the first words(count) of depth words a column, columns
  // from d to the next multiple of kColumnUnit are zero.
  void (*pack_upright)(int64_t count, int64_t d, const float *x, int64_t x_row, int64_t depth,
                       float *to);
  // The sum of dout[j] out[j], dout rounded as the words of a product are: where p is 1, ds is then 0.
  float (*delta)(int64_t d, const float *dout, const float *out);

  // ---- the same whatever the words

  // to[j] = scale * x[j] for j < d, 0 for d <= j < to_row.
  void (*copy_row)(int64_t d, float scale, const float *x, int64_t to_row, float *to);
  // A product in float32, for rows of b that are b_row elements apart; a_k is 1.
  void (*multiply_rows)(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row,
                        const float *b, int64_t b_row, const float *keep, float *c, int64_t c_row);
  void (*multiply_rows_bf16)(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row,
                             const uint16_t *b, int64_t b_row, const float *keep, float *c,
                             int64_t c_row);
};

struct AttentionPrecisions {
  AttentionKernels f32;
  AttentionKernels bf16;  // those of f32 where the tier does not multiply bf16
};

CRIA_TIER_TABLE(AttentionPrecisions, attention_kernels)

}  // namespace cria::cpu
