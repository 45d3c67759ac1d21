// gemm.h: the tier kernels of the matrix multiplication: register tiles, packing and dot products.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

// Pieces of rows of NF4 codes: n weights from a whole byte on, one scale for each `run` weights (32 or 64), n a
// multiple of 32.
struct Nf4Rows {
  int64_t rows, n, run;
  const uint8_t *codes;
  int64_t code_stride;  // bytes from row to row
  const float *map;     // the 16 values of the codes
  const float *scales;
  int64_t scale_stride;
};

// A float32 A where it lies: element (i, k) is data[i*row + k*step].
struct StridedA {
  const float *data;
  int64_t row, step;
};

// Tile sizes and routines of one tier. A panel of A holds mr rows, one of B nr columns, as 32-bit words: [k][mr] and [k][nr]
// floats, or [k/2][mr] and [k/2][nr] pairs of bf16. Sources have the alignment of their elements only.
struct GemmKernels {
  int mr, nr;       // rows and columns of a tile
  int64_t kc_f32;   // most reduction steps per pass over C, multiples of 64
  int64_t kc_bf16;  // 0 when the tier does not multiply bf16

  // c[i][j] = (add ? c[i][j] : 0) + alpha * sum_k a[i][k] * b[k][j] for i < m <= mr, j < n <= nr, over panels of so many
  // words a row. The bits of a row do not depend on m.
  using Tile = void (*)(int64_t words, const float *a, const float *b, int m, int n, float alpha,
                        bool add, float *c, int64_t ldc);
  Tile tile_f32, tile_bf16;  // the latter null without bf16
  // The same with A in place.
  void (*tile_in_place)(int64_t k, StridedA a, const float *b, int m, int n, float alpha, bool add,
                        float *c, int64_t ldc);
  // c[i*ldc + j] += sum_k a[i][k] * b[k*ldb + j] for i < m, j < n, both operands in place and k small (a rank-k
  // update). Bits of an element depend on neither m nor n.
  void (*rank_update)(int64_t k, StridedA a, const float *b, int64_t ldb, int64_t m, int64_t n,
                      float *c, int64_t ldc);

  // Panels of A from 32-bit words: to[k*mr + i] = from[i*ldf + k], or from[k*ldf + i] where A is stored transposed, for
  // i < m <= mr.
  void (*rows_to_panel)(int64_t k, int m, const void *from, int64_t ldf, void *to);
  void (*columns_to_panel)(int64_t k, int m, const void *from, int64_t ldf, void *to);

  // to[c*ldt + r] = from[r*ldf + c] for 32-bit words.
  void (*transpose)(int64_t rows, int64_t columns, const void *from, int64_t ldf, void *to,
                    int64_t ldt);
  // The same from bf16 to float32.
  void (*transpose_widened)(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf,
                            float *to, int64_t ldt);
  // to[p*ldt + c] = the pair (from[2p][c], from[2p+1][c]); a missing last row counts as zero.
  void (*interleave)(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf, uint32_t *to,
                     int64_t ldt);
  void (*to_bf16)(int64_t n, const float *from, uint16_t *to);  // rounds to nearest even
  // to[i][j] = from[i][j] as float32, rows ldf and ldt apart.
  void (*widen)(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf, float *to,
                int64_t ldt);
  void (*copy)(int64_t rows, int64_t columns, const float *from, int64_t ldf, float *to,
               int64_t ldt);
  // to[i] = map[codes[i]] * absmax + offset, multiplication and addition rounded separately.
  void (*nested_scales)(int64_t n, const uint8_t *codes, const float *map, float absmax,
                        float offset, float *to);
  // Canonical values bf16(map[code] * scale), row i to `to + i * ldt`.
  void (*nf4_to_bf16)(const Nf4Rows &from, uint16_t *to, int64_t ldt);
  void (*nf4_to_f32)(const Nf4Rows &from, float *to, int64_t ldt);
  // to[j] = keep(first + j) ? from[j] * scale : 0, with the hash of cria.h. In place allowed.
  void (*dropout)(int64_t n, uint64_t key, uint64_t first, uint32_t threshold, float scale,
                  const float *from, float *to);

  // out[i] = sum_k x[i*ldx + k] * w[k] for i < m. The bits of a row do not depend on m. dot_widened takes bf16 weights as
  // float32; dot_bf16 may be null.
  void (*dot_f32)(int64_t k, const float *w, int m, const float *x, int64_t ldx, float *out);
  void (*dot_widened)(int64_t k, const uint16_t *w, int m, const float *x, int64_t ldx, float *out);
  void (*dot_bf16)(int64_t k, const uint16_t *w, int m, const uint16_t *x, int64_t ldx, float *out);
  // The same for a row of NF4 codes in runs of 64, its canonical values never stored; x in the form that order_nf4 makes
  // of it, which takes a float for nf4_per_float activations. Null where decoding first is as fast.
  void (*dot_nf4)(const Nf4Rows &row, int m, const float *x, int64_t ldx, float *out);
  // k a multiple of 64; `to` has room for the next multiple of 128.
  void (*order_nf4)(int64_t k, const float *x, float *to);
  int nf4_per_float;
};

CRIA_TIER_TABLE(GemmKernels, gemm_kernels)

}  // namespace cria::cpu
