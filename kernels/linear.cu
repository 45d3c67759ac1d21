// linear.cu: linear layers with dense weights, float32 or bf16, and LoRA, forward and backward.
//
// With bf16 weights x and dy are rounded to bf16 for the products with W and for dw; the products of the adapter keep the
// accuracy of float32.
#include "host/operations.h"
#include "lora.h"
#include "operand.h"
#include "product.h"

namespace cria::gpu {
namespace {

template <class T>
void forward(GpuQueue &queue, int64_t m, int64_t n, int64_t k, const T *w, const float *x,
             const Adapter &lora, float *t, float *y) {
  const Rows<T> rows(queue, m, k, x);
  multiply(queue, Product<T>{m, n, k, rows.along_k(), {w, k, true}, y, n});
  if (lora.rank == 0) return;
  lora_t(queue, m, k, lora, x, t);
  multiply(queue, Product<float>{m,
                                 n,
                                 lora.rank,
                                 {t, lora.rank, true},
                                 {lora.b, lora.rank, true},
                                 y,
                                 n,
                                 lora.scale,
                                 true});
}

template <class T>
void backward(GpuQueue &queue, int64_t m, int64_t n, int64_t k, const T *w, const float *x,
              const Adapter &lora, const float *t, const float *dy, bool accumulate_dx, float *dx,
              float *dw, float *da, float *db) {
  const int64_t rank = lora.rank;
  if (dx || dw) {
    const Rows<T> rows(queue, m, n, dy);
    if (dx) {
      multiply(queue, Product<T>{m, k, n, rows.along_k(), {w, k, false}, dx, k, 1, accumulate_dx});
    }
    if (dw) {
      const Rows<T> inputs(queue, m, k, x);
      multiply(queue, Product<T>{n, k, m, rows.across_k(), inputs.across_k(), dw, k, 1, true});
    }
  }
  if (rank == 0) return;
  if (dx || da) {
    const Scratch scratch(queue, m * rank * int64_t(sizeof(float)));
    float *u = scratch.as<float>();
    lora_u(queue, m, n, lora, dy, u);
    if (dx) {
      multiply(queue,
               Product<float>{
                   m, k, rank, {u, rank, true}, {lora.a, k, false}, dx, k, 1, true, lora.dropout});
    }
    if (da) lora_da(queue, m, k, lora, u, x, da);
  }
  if (db) lora_db(queue, m, n, lora, dy, t, db);
}

}  // namespace

cria_status linear(cria_queue *queue, int64_t m, int64_t n, int64_t k, cria_dtype dtype,
                   const void *w, const float *x, int64_t rank, const float *a, const float *b,
                   float scale, float dropout, uint64_t key, float *t, float *y) {
  const Adapter lora{rank, a, b, scale, {dropout, key}};
  by_dtype(dtype, w,
           [&](const auto *weight) { forward(queue_of(queue), m, n, k, weight, x, lora, t, y); });
  return CRIA_OK;
}

cria_status linear_bwd(cria_queue *queue, int64_t m, int64_t n, int64_t k, cria_dtype dtype,
                       const void *w, const float *x, int64_t rank, const float *a, const float *b,
                       float scale, float dropout, uint64_t key, const float *t, const float *dy,
                       int32_t accumulate_dx, float *dx, float *dw, float *da, float *db) {
  const Adapter lora{rank, a, b, scale, {dropout, key}};
  by_dtype(dtype, w, [&](const auto *weight) {
    backward(queue_of(queue), m, n, k, weight, x, lora, t, dy, accumulate_dx != 0, dx, dw, da, db);
  });
  return CRIA_OK;
}

}  // namespace cria::gpu
