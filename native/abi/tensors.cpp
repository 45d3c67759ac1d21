// tensors.cpp: entries of the elementary tensor operations.
#include <cmath>

#include "abi/call.h"

using namespace cria;

namespace {

// The elements of a box of dims [rank]; the pointers may be null where rank is 0.
int64_t check_box(const Arguments &check, int32_t rank, const int64_t *dims,
                  const int64_t *a_strides, const int64_t *b_strides) {
  check.between("rank", rank, 0, 8);
  check.pointer("dims", dims, rank);
  check.pointer("strides of the first tensor", a_strides, rank);
  check.pointer("strides of the second tensor", b_strides, rank);
  int64_t count = 1;
  for (int32_t i = 0; i < rank; ++i)
    count = check.count({count, check.size("a dimension", dims[i])});
  return count;
}

}  // namespace

cria_status cria_fill(cria_queue *queue, int64_t n, float value, float *x) {
  return guarded("fill", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("x", x, check.count({check.size("n", n)}));
    return table.fill(queue, n, value, x);
  });
}

cria_status cria_cast(cria_queue *queue, int64_t n, cria_dtype from_dtype, const void *from,
                      cria_dtype to_dtype, void *to) {
  return guarded("cast", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.dtype("from_dtype", from_dtype, {CRIA_F32, CRIA_BF16, CRIA_F16});
    check.dtype("to_dtype", to_dtype, {CRIA_F32, CRIA_BF16});
    check.pointer("from", from, check.count({check.size("n", n)}));
    check.pointer("to", to, n);
    return table.cast(queue, n, from_dtype, from, to_dtype, to);
  });
}

cria_status cria_axpby(cria_queue *queue, int64_t n, float alpha, const float *x, float beta,
                       float *y) {
  return guarded("axpby", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("x", x, check.count({check.size("n", n)}));
    check.pointer("y", y, n);
    return table.axpby(queue, n, alpha, x, beta, y);
  });
}

cria_status cria_unary(cria_queue *queue, cria_unary_op op, int64_t n, const float *x, float *y) {
  return guarded("unary", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.between("op", op, CRIA_NEG, CRIA_ABS);
    check.pointer("x", x, check.count({check.size("n", n)}));
    check.pointer("y", y, n);
    return table.unary(queue, op, n, x, y);
  });
}

cria_status cria_unary_bwd(cria_queue *queue, cria_unary_op op, int64_t n, const float *x,
                           const float *y, const float *dy, float *dx) {
  return guarded("unary_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.between("op", op, CRIA_NEG, CRIA_ABS);
    check.pointer("x", x, check.count({check.size("n", n)}));
    check.pointer("y", y, n);
    check.pointer("dy", dy, n);
    check.pointer("dx", dx, n);
    return table.unary_bwd(queue, op, n, x, y, dy, dx);
  });
}

cria_status cria_binary(cria_queue *queue, cria_binary_op op, int32_t rank, const int64_t *dims,
                        const float *a, const int64_t *a_strides, const float *b,
                        const int64_t *b_strides, float *y) {
  return guarded("binary", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.between("op", op, CRIA_ADD, CRIA_MIN);
    const int64_t count = check_box(check, rank, dims, a_strides, b_strides);
    check.pointer("a", a, count);
    check.pointer("b", b, count);
    check.pointer("y", y, count);
    return table.binary(queue, op, rank, dims, a, a_strides, b, b_strides, y);
  });
}

cria_status cria_reduce(cria_queue *queue, cria_reduce_op op, int64_t outer, int64_t n,
                        int64_t inner, const float *x, float *y) {
  return guarded("reduce", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.between("op", op, CRIA_REDUCE_SUM, CRIA_REDUCE_MAX);
    check.at_least("n", n, 1);
    const int64_t count = check.count({check.size("outer", outer), n, check.size("inner", inner)});
    check.pointer("x", x, count);
    check.pointer("y", y, count);
    return table.reduce(queue, op, outer, n, inner, x, y);
  });
}

cria_status cria_softmax(cria_queue *queue, int64_t rows, int64_t cols, int32_t log, const float *x,
                         float *y) {
  return guarded("softmax", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    const int64_t count = check.count({check.size("rows", rows), check.size("cols", cols)});
    check.flag("log", log);
    check.pointer("x", x, count);
    check.pointer("y", y, count);
    return table.softmax(queue, rows, cols, log, x, y);
  });
}

cria_status cria_softmax_bwd(cria_queue *queue, int64_t rows, int64_t cols, int32_t log,
                             const float *y, const float *dy, float *dx) {
  return guarded("softmax_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    const int64_t count = check.count({check.size("rows", rows), check.size("cols", cols)});
    check.flag("log", log);
    check.pointer("y", y, count);
    check.pointer("dy", dy, count);
    check.pointer("dx", dx, count);
    return table.softmax_bwd(queue, rows, cols, log, y, dy, dx);
  });
}

cria_status cria_gather_rows(cria_queue *queue, int64_t n, int64_t rows, int64_t c,
                             const int32_t *index, const float *x, float *y) {
  return guarded("gather_rows", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("index", index, check.size("n", n));
    check.pointer("x", x, check.count({check.size("rows", rows), check.size("c", c)}));
    check.pointer("y", y, check.count({n, c}));
    return table.gather_rows(queue, n, rows, c, index, x, y);
  });
}

cria_status cria_scatter_add_rows(cria_queue *queue, int64_t n, int64_t rows, int64_t c,
                                  const int32_t *index, const float *y, float *x) {
  return guarded("scatter_add_rows", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("index", index, check.size("n", n));
    check.pointer("x", x, check.count({check.size("rows", rows), check.size("c", c)}));
    check.pointer("y", y, check.count({n, c}));
    return table.scatter_add_rows(queue, n, rows, c, index, y, x);
  });
}

cria_status cria_scale_rows(cria_queue *queue, int64_t rows, int64_t cols, const float *s,
                            const float *x, float *y) {
  return guarded("scale_rows", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    const int64_t count = check.count({check.size("rows", rows), check.size("cols", cols)});
    check.pointer("s", s, count);
    check.pointer("x", x, count);
    check.pointer("y", y, count);
    return table.scale_rows(queue, rows, cols, s, x, y);
  });
}

cria_status cria_segment_sum(cria_queue *queue, int64_t segments, const int32_t *offsets,
                             const float *x, float *y) {
  return guarded("segment_sum", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("offsets", offsets, check.size("segments", segments));
    check.pointer("y", y, segments);
    return table.segment_sum(queue, segments, offsets, x, y);
  });
}

cria_status cria_segment_broadcast(cria_queue *queue, int64_t segments, const int32_t *offsets,
                                   const float *y, float *x) {
  return guarded("segment_broadcast", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("offsets", offsets, check.size("segments", segments));
    check.pointer("y", y, segments);
    return table.segment_broadcast(queue, segments, offsets, y, x);
  });
}

cria_status cria_copy_strided(cria_queue *queue, int32_t element_bytes, int32_t rank,
                              const int64_t *dims, const void *x, const int64_t *x_strides, void *y,
                              const int64_t *y_strides) {
  return guarded("copy_strided", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.that(element_bytes == 1 || element_bytes == 2 || element_bytes == 4,
               "element_bytes must be 1, 2 or 4", element_bytes);
    const int64_t count = check_box(check, rank, dims, x_strides, y_strides);
    check.pointer("x", x, count);
    check.pointer("y", y, count);
    return table.copy_strided(queue, element_bytes, rank, dims, x, x_strides, y, y_strides);
  });
}

cria_status cria_random_uniform(cria_queue *queue, int64_t n, uint64_t key, float low, float high,
                                cria_dtype dtype, void *x) {
  return guarded("random_uniform", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16});
    check.finite("low", low);
    check.finite("high", high);
    check.that(low <= high, "low must not exceed high");
    check.pointer("x", x, check.count({check.size("n", n)}));
    return table.random_uniform(queue, n, key, low, high, dtype, x);
  });
}

cria_status cria_random_normal(cria_queue *queue, int64_t n, uint64_t key, float mean,
                               float deviation, cria_dtype dtype, void *x) {
  return guarded("random_normal", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16});
    check.finite("mean", mean);
    check.in_range("deviation", deviation, 0, HUGE_VAL);
    check.pointer("x", x, check.count({check.size("n", n)}));
    return table.random_normal(queue, n, key, mean, deviation, dtype, x);
  });
}

cria_status cria_sample(cria_queue *queue, int64_t rows, int64_t v, const float *logits,
                        float temperature, int32_t top_k, float top_p, uint64_t key,
                        int32_t *tokens) {
  return guarded("sample", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.size("rows", rows);
    check.between("v", v, 1, INT32_MAX);
    check.in_range("temperature", temperature, 0, HUGE_VAL);
    check.size("top_k", top_k);
    check.positive("top_p", top_p);
    check.that(top_p <= 1, "top_p must be in (0, 1]");
    check.pointer("logits", logits, check.count({rows, v}));
    check.pointer("tokens", tokens, rows);
    return table.sample(queue, rows, v, logits, temperature, top_k, top_p, key, tokens);
  });
}
