// linear.cpp: linear layers with LoRA over f32, bf16 and NF4 weights, forward and backward, and the dense product.
#include <algorithm>

#include "cpu/gemm/gemm.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

struct Adapter {
  int64_t rank;
  const float *a, *b;  // [R,K], [N,R]
  float scale;
  Dropout dropout;
};

// A stored weight [N,K]; by_columns as the product needs it.
struct Weight {
  MatrixB::Kind kind;
  const void *data;
  int64_t n, k;
  MatrixB transposed() const { return {kind, data, k, true}; }  // x W^T
  MatrixB plain() const { return {kind, data, k, false}; }      // dy W
};

MatrixB plain(const float *data, int64_t ld, Dropout dropout = {}) {
  return {MatrixB::f32, data, ld, false, dropout};
}

MatrixB transposed(const float *data, int64_t ld) { return {MatrixB::f32, data, ld, true}; }

MatrixB::Kind kind_of(cria_dtype dtype) {
  return dtype == CRIA_BF16 ? MatrixB::bf16 : MatrixB::f32;
}

void forward(CpuDevice &device, const Weight &w, int64_t m, const float *x, const Adapter &lora,
             float *t, float *y) {
  Term terms[2] = {{w.k, {x, w.k}, w.transposed()}};
  int count = 1;
  if (lora.rank > 0) {
    const Term inner{w.k, {x, w.k, false, lora.dropout}, transposed(lora.a, w.k)};
    multiply(device, m, lora.rank, &inner, 1, false, t, lora.rank);
    terms[count++] = {lora.rank, {t, lora.rank}, transposed(lora.b, lora.rank), lora.scale};
  }
  multiply(device, m, w.n, terms, count, false, y, w.n);
}

// db [N,R] += scale dy^T t. The narrow side is made the rows of the product, t^T dy, whose columns fill vectors.
void add_db(CpuDevice &device, int64_t m, int64_t n, const Adapter &lora, const float *t,
            const float *dy, float *db) {
  const int64_t rank = lora.rank;
  ScratchBlock product(device, rank * n * static_cast<int64_t>(sizeof(float)));
  float *from = product.as<float>();
  const Term term{m, {t, rank, true}, plain(dy, n), lora.scale};
  multiply(device, rank, n, &term, 1, false, from, n);
  device.parallel_range(n, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t r = 0; r < rank; ++r) db[i * rank + r] += from[r * n + i];
    }
  });
}

void backward(CpuDevice &device, const Weight &w, int64_t m, const float *x, const Adapter &lora,
              const float *t, const float *dy, bool accumulate_dx, float *dx, float *dw, float *da,
              float *db) {
  const int64_t n = w.n, k = w.k, rank = lora.rank;
  if (m == 0) return;
  const bool adapted = rank > 0 && (dx || da);
  ScratchBlock scratch(device, adapted ? m * rank * static_cast<int64_t>(sizeof(float)) : 0);
  float *u = scratch.as<float>();  // scale * dy B [M,R]
  if (adapted) {
    const Term term{n, {dy, n}, plain(lora.b, rank), lora.scale};
    gemm(device, m, rank, &term, 1, false, u, rank);
  }
  if (dx) {
    Term terms[2] = {{n, {dy, n}, w.plain()}};
    int count = 1;
    if (rank > 0) {
      terms[count++] = {rank, {u, rank}, plain(lora.a, k), 1, lora.dropout};
    }
    gemm(device, m, k, terms, count, accumulate_dx, dx, k);
  }
  if (dw) {
    const Term term{m, {dy, n, true}, plain(x, k)};
    gemm(device, n, k, &term, 1, true, dw, k);
  }
  if (rank > 0 && da) {
    const Term term{m, {u, rank, true}, plain(x, k, lora.dropout)};
    multiply(device, rank, k, &term, 1, true, da, k);
  }
  if (rank > 0 && db) add_db(device, m, n, lora, t, dy, db);
}

}  // namespace

cria_status linear(cria_queue *queue, int64_t m, int64_t n, int64_t k, cria_dtype dtype,
                   const void *w, const float *x, int64_t rank, const float *a, const float *b,
                   float scale, float dropout, uint64_t key, float *t, float *y) {
  forward(device_of(queue), {kind_of(dtype), w, n, k}, m, x, {rank, a, b, scale, {dropout, key}}, t,
          y);
  return CRIA_OK;
}

cria_status linear_bwd(cria_queue *queue, int64_t m, int64_t n, int64_t k, cria_dtype dtype,
                       const void *w, const float *x, int64_t rank, const float *a, const float *b,
                       float scale, float dropout, uint64_t key, const float *t, const float *dy,
                       int32_t accumulate_dx, float *dx, float *dw, float *da, float *db) {
  backward(device_of(queue), {kind_of(dtype), w, n, k}, m, x, {rank, a, b, scale, {dropout, key}},
           t, dy, accumulate_dx != 0, dx, dw, da, db);
  return CRIA_OK;
}

cria_status nf4_linear(cria_queue *queue, const cria_nf4 *w, int64_t m, const float *x,
                       int64_t rank, const float *a, const float *b, float scale, float dropout,
                       uint64_t key, float *t, float *y) {
  forward(device_of(queue), {MatrixB::nf4, w, w->n, w->k}, m, x,
          {rank, a, b, scale, {dropout, key}}, t, y);
  return CRIA_OK;
}

cria_status nf4_linear_bwd(cria_queue *queue, const cria_nf4 *w, int64_t m, const float *x,
                           int64_t rank, const float *a, const float *b, float scale, float dropout,
                           uint64_t key, const float *t, const float *dy, int32_t accumulate_dx,
                           float *dx, float *da, float *db) {
  backward(device_of(queue), {MatrixB::nf4, w, w->n, w->k}, m, x,
           {rank, a, b, scale, {dropout, key}}, t, dy, accumulate_dx != 0, dx, nullptr, da, db);
  return CRIA_OK;
}

cria_status matmul(cria_queue *queue, int64_t batch, int64_t m, int64_t n, int64_t k,
                   int32_t transpose_a, int32_t transpose_b, float alpha, const float *a,
                   const float *b, int32_t accumulate, float *c) {
  CpuDevice &device = device_of(queue);
  if (batch == 0 || m == 0 || n == 0) return CRIA_OK;
  auto product = [&](int64_t i) {
    const MatrixA left{a + i * m * k, transpose_a ? m : k, transpose_a != 0};
    const MatrixB right{MatrixB::f32, b + i * k * n, transpose_b ? k : n, transpose_b != 0};
    const Term term{k, left, right, alpha};
    multiply(device, m, n, &term, 1, accumulate != 0, c + i * m * n, n);
  };
  // Many small products: one per task (a product inside a task runs on that thread alone).
  constexpr int64_t kSmall = 1 << 22;
  if (batch > 1 && m * n <= kSmall / std::max<int64_t>(k, 1)) {
    device.parallel(batch, product);
  } else {
    for (int64_t i = 0; i < batch; ++i) product(i);
  }
  return CRIA_OK;
}

}  // namespace cria::cpu
