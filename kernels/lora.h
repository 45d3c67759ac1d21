// lora.h: the narrow products of LoRA layers, whatever the weight beside the adapter: t, u, da and db of cria.h.
//
// All four have the accuracy of float32: kernels split each factor into three bf16 parts (split.h) for the tensor cores.
// Sums run in an order that depends on the shape only.
#pragma once

#include "dropout.h"
#include "host/gpu_device.h"

namespace cria::gpu {

struct Adapter {
  int64_t rank;
  const float *a, *b;  // [R,K], [N,R]
  float scale;
  Dropout dropout;
};

// t [M,R] = drop(x) A^T, x [M,K]
void lora_t(GpuQueue &queue, int64_t m, int64_t k, const Adapter &lora, const float *x, float *t);
// u [M,R] = scale * dy B, dy [M,N]. packed, if given, receives what pack_rows makes of dy, which is then read once for both.
void lora_u(GpuQueue &queue, int64_t m, int64_t n, const Adapter &lora, const float *dy, float *u,
            bf16 *packed = nullptr);
// da [R,K] += u^T drop(x)
void lora_da(GpuQueue &queue, int64_t m, int64_t k, const Adapter &lora, const float *u,
             const float *x, float *da);
// db [N,R] += scale * dy^T t
void lora_db(GpuQueue &queue, int64_t m, int64_t n, const Adapter &lora, const float *dy,
             const float *t, float *db);

}  // namespace cria::gpu
