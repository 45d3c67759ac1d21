// product.h: dense matrix products of the GPU devices, c [M,N] = alpha a b, and who computes them.
#pragma once

#include "dropout.h"

namespace cria::gpu {

struct GpuQueue;

// a [M,K] or b [K,N] as it lies in memory: lines of contiguous elements, `pitch` elements apart. along_k: the reduction runs
// along the lines (x and the weight [N,K] of x W^T), else across them (both operands of dy^T x).
template <class T>
struct Operand {
  const T *data;
  int64_t pitch;
  bool along_k;
  int64_t stride = 0;  // elements between the products of a batch
};

template <class T>
struct Product {
  int64_t m, n, k;
  Operand<T> a, b;
  float *c;
  int64_t c_pitch;
  float alpha = 1;
  bool accumulate = false;   // c += alpha a b
  Dropout dropout = {0, 0};  // of the product, whose element (i, j) has the number i N + j
  int64_t batch = 1, c_stride = 0;
};

// By cuBLAS where the runtime has it, else by the kernels of this project. Sums are float32; those of a row do not depend on
// the rows beside it as long as the kernel is the same.
void multiply(GpuQueue &queue, const Product<float> &product);
void multiply(GpuQueue &queue, const Product<bf16> &product);

}  // namespace cria::gpu
