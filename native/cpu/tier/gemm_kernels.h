// gemm_kernels.h: the routines of one tier's GemmKernels table, across the tier files that define them.
#pragma once

#include "cpu/kernels/gemm.h"

namespace cria::cpu {
namespace CRIA_TIER_NS {

// Rows and vectors of a register tile.
constexpr int kPanelRows = CRIA_TIER >= 1 ? 6 : 4;
constexpr int kPanelVectors = CRIA_TIER >= 2 ? 4 : 2;
constexpr int64_t kLineFloats = 16;  // of a line of the cache

// gemm_update.cpp
void rank_update(int64_t k, StridedA a, const float *b, int64_t ldb, int64_t m, int64_t n, float *c,
                 int64_t ldc);
// gemm_pack.cpp
void rows_to_panel(int64_t k, int m, const void *from, int64_t ldf, void *to);
void columns_to_panel(int64_t k, int m, const void *from, int64_t ldf, void *to);
void transpose(int64_t rows, int64_t columns, const void *from, int64_t ldf, void *to, int64_t ldt);
void transpose_widened(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf, float *to,
                       int64_t ldt);
void interleave(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf, uint32_t *to,
                int64_t ldt);
void to_bf16(int64_t n, const float *from, uint16_t *to);
void widen(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf, float *to,
           int64_t ldt);
void copy(int64_t rows, int64_t columns, const float *from, int64_t ldf, float *to, int64_t ldt);
void dropout(int64_t n, uint64_t key, uint64_t first, uint32_t threshold, float scale,
             const float *from, float *to);
// gemm_nf4.cpp
void nested_scales(int64_t n, const uint8_t *codes, const float *map, float absmax, float offset,
                   float *to);
void nf4_to_bf16(const Nf4Rows &from, uint16_t *to, int64_t ldt);
void nf4_to_f32(const Nf4Rows &from, float *to, int64_t ldt);
// gemm_dot.cpp
void dot_f32(int64_t k, const float *w, int m, const float *x, int64_t ldx, float *out);
void dot_widened(int64_t k, const uint16_t *w, int m, const float *x, int64_t ldx, float *out);
void dot_bf16(int64_t k, const uint16_t *w, int m, const uint16_t *x, int64_t ldx, float *out);
// gemm_dot_nf4.cpp
constexpr int kNf4PerFloat = CRIA_TIER >= 3 ? 2 : 1;
void dot_nf4(const Nf4Rows &row, int m, const float *x, int64_t ldx, float *out);
void order_nf4(int64_t k, const float *x, float *to);

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
