// linear.cpp: entries of linear layers with LoRA and of the dense matrix product.
#include "abi/call.h"

using namespace cria;

namespace {

void check_adapter(const Arguments &check, int64_t n, int64_t k, int64_t rank, const float *a,
                   const float *b, float scale, float dropout) {
  check.size("rank", rank);
  check.pointer("a", a, check.count({rank, k}));
  check.pointer("b", b, check.count({rank, n}));
  check.finite("scale", scale);
  check.in_range("dropout", dropout, 0, 1);
}

void check_forward(const Arguments &check, int64_t m, int64_t n, int64_t k, const float *x,
                   int64_t rank, const float *a, const float *b, float scale, float dropout,
                   const float *t, const float *y) {
  check.pointer("x", x, check.count({check.size("m", m), k}));
  check.pointer("y", y, check.count({m, n}));
  check_adapter(check, n, k, rank, a, b, scale, dropout);
  check.pointer("t", t, check.count({m, rank}));
}

void check_backward(const Arguments &check, int64_t m, int64_t n, int64_t k, const float *x,
                    int64_t rank, const float *a, const float *b, float scale, float dropout,
                    const float *t, const float *dy, int32_t accumulate_dx, const float *dw,
                    const float *da, const float *db) {
  check.pointer("dy", dy, check.count({check.size("m", m), n}));
  check_adapter(check, n, k, rank, a, b, scale, dropout);
  check.flag("accumulate_dx", accumulate_dx);
  if (dw || (da && rank > 0)) check.pointer("x", x, check.count({m, k}));
  if (db && rank > 0) check.pointer("t", t, m);
}

}  // namespace

cria_status cria_nf4_linear(cria_queue *queue, const cria_nf4 *w, int64_t m, const float *x,
                            int64_t rank, const float *a, const float *b, float scale,
                            float dropout, uint64_t key, float *t, float *y) {
  return guarded("nf4_linear", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("w", w);
    check.same_device(queue, device_of_handle(w));
    int64_t n = 0, k = 0;
    table.nf4_info(w, &n, &k, nullptr, nullptr, nullptr);
    check_forward(check, m, n, k, x, rank, a, b, scale, dropout, t, y);
    return table.nf4_linear(queue, w, m, x, rank, a, b, scale, dropout, key, t, y);
  });
}

cria_status cria_nf4_linear_bwd(cria_queue *queue, const cria_nf4 *w, int64_t m, const float *x,
                                int64_t rank, const float *a, const float *b, float scale,
                                float dropout, uint64_t key, const float *t, const float *dy,
                                int32_t accumulate_dx, float *dx, float *da, float *db) {
  return guarded("nf4_linear_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("w", w);
    check.same_device(queue, device_of_handle(w));
    int64_t n = 0, k = 0;
    table.nf4_info(w, &n, &k, nullptr, nullptr, nullptr);
    check_backward(check, m, n, k, x, rank, a, b, scale, dropout, t, dy, accumulate_dx, nullptr, da,
                   db);
    return table.nf4_linear_bwd(queue, w, m, x, rank, a, b, scale, dropout, key, t, dy,
                                accumulate_dx, dx, da, db);
  });
}

cria_status cria_linear(cria_queue *queue, int64_t m, int64_t n, int64_t k, cria_dtype dtype,
                        const void *w, const float *x, int64_t rank, const float *a, const float *b,
                        float scale, float dropout, uint64_t key, float *t, float *y) {
  return guarded("linear", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16});
    check.pointer("w", w, check.count({check.size("n", n), check.size("k", k)}));
    check_forward(check, m, n, k, x, rank, a, b, scale, dropout, t, y);
    return table.linear(queue, m, n, k, dtype, w, x, rank, a, b, scale, dropout, key, t, y);
  });
}

cria_status cria_linear_bwd(cria_queue *queue, int64_t m, int64_t n, int64_t k, cria_dtype dtype,
                            const void *w, const float *x, int64_t rank, const float *a,
                            const float *b, float scale, float dropout, uint64_t key,
                            const float *t, const float *dy, int32_t accumulate_dx, float *dx,
                            float *dw, float *da, float *db) {
  return guarded("linear_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16});
    const int64_t count = check.count({check.size("n", n), check.size("k", k)});
    if (dx) check.pointer("w", w, count);
    check_backward(check, m, n, k, x, rank, a, b, scale, dropout, t, dy, accumulate_dx, dw, da, db);
    return table.linear_bwd(queue, m, n, k, dtype, w, x, rank, a, b, scale, dropout, key, t, dy,
                            accumulate_dx, dx, dw, da, db);
  });
}

cria_status cria_matmul(cria_queue *queue, int64_t batch, int64_t m, int64_t n, int64_t k,
                        int32_t transpose_a, int32_t transpose_b, float alpha, const float *a,
                        const float *b, int32_t accumulate, float *c) {
  return guarded("matmul", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.size("batch", batch);
    check.size("m", m);
    check.size("n", n);
    check.size("k", k);
    check.flag("transpose_a", transpose_a);
    check.flag("transpose_b", transpose_b);
    check.flag("accumulate", accumulate);
    check.pointer("a", a, check.count({batch, m, k}));
    check.pointer("b", b, check.count({batch, k, n}));
    check.pointer("c", c, check.count({batch, m, n}));
    return table.matmul(queue, batch, m, n, k, transpose_a, transpose_b, alpha, a, b, accumulate,
                        c);
  });
}
