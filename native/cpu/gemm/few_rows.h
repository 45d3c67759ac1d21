// few_rows.h: products with few rows of C, as the gradients of LoRA: B is float32 [K,N] and read where it lies.
#pragma once

#include "cpu/gemm/gemm.h"
#include "cpu/kernels/gemm.h"

namespace cria::cpu {

// Whether few_rows computes a term; depends on shape and form only.
bool few_rows_serve(int64_t m, int64_t n, const Term &term);

// c [m,n] = alpha * A B, += when add. Bits of an element depend on neither m nor n.
void few_rows(CpuDevice &device, const GemmKernels &kernels, int64_t m, int64_t n, const Term &term,
              bool add, float *c, int64_t ldc);

}  // namespace cria::cpu
