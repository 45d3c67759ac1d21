// gemv.h: products of a few rows, bound by the reading of the weight.
#pragma once

#include "cpu/gemm/gemm.h"
#include "cpu/kernels/gemm.h"

namespace cria::cpu {

// Whether gemv computes a term; depends on its shape and form only.
bool gemv_serves(int64_t m, const Term &term);

// c [M,N] = alpha * A B, += when add.
void gemv(CpuDevice &device, const GemmKernels &kernels, int64_t m, int64_t n, const Term &term,
          bool as_bf16, bool add, float *c, int64_t ldc);

}  // namespace cria::cpu
