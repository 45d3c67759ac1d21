// gemm.h: matrix products on the CPU: C = sum of terms A_i B_i, where B may be float32, bf16 or NF4.
//
// The loops of Van Zee & van de Geijn (BLIS): row blocks, rounds of passes over k whose part of A stays in a shared cache,
// column strips, passes, then tiles of mr x nr over packed panels of A and B. A strip of B is decoded while it is packed, so a
// quantised matrix never exists as a whole, and the weights of the next pass are read ahead meanwhile. Passes and their order
// follow from shapes and tier alone, and a row of C is computed the same way whatever the other rows are.
#pragma once

#include <cstdint>

#include "cpu/cpu_device.h"
#include "cpu/nf4_matrix.h"

namespace cria::cpu {

// The dropout mask of cria.h over a matrix; element (i,j) has the number i*width + j.
struct Dropout {
  uint64_t key = 0;
  uint32_t threshold = 0;  // kept iff hash >= threshold
  float scale = 1;         // 1 / (1-p)
  Dropout() = default;
  Dropout(float p, uint64_t mask_key);
  bool active() const { return threshold != 0; }
};

// A [M,K] float32, or stored as [K,M] when transposed; dropout applies to rows that are not transposed.
struct MatrixA {
  const float *data;
  int64_t ld;
  bool transposed = false;
  Dropout dropout = {};
};

// B [K,N]: stored [N,K] (the weight of a linear layer) when by_columns, else [K,N].
struct MatrixB {
  enum Kind { f32, bf16, nf4 } kind;
  const void *data;  // a cria_nf4 for nf4
  int64_t ld;
  bool by_columns;
  Dropout dropout = {};  // f32 stored [K,N] only
};

struct Term {
  int64_t k;
  MatrixA a;
  MatrixB b;
  float alpha = 1;
  Dropout dropout = {};  // applied to the product of this term, width n
};

// c [M,N] = sum of alpha * A B over the terms, += when accumulate. bf16 and NF4 terms round A to bf16
// where the tier multiplies bf16. A row of c has the same bits whatever m is.
void gemm(CpuDevice &device, int64_t m, int64_t n, const Term *terms, int count, bool accumulate,
          float *c, int64_t ldc);

// The same, but a few rows take paths that stream B past them (gemv.h, few_rows.h), with sums in another order.
void multiply(CpuDevice &device, int64_t m, int64_t n, const Term *terms, int count,
              bool accumulate, float *c, int64_t ldc);

}  // namespace cria::cpu
