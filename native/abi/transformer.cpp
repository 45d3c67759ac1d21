// transformer.cpp: entries of the parts of a transformer block.
#include "abi/call.h"

using namespace cria;

cria_status cria_embedding(cria_queue *queue, int64_t t, int64_t v, int64_t c, cria_dtype dtype,
                           const void *table, const int32_t *ids, float *out) {
  return guarded("embedding", [&](const Arguments &check) -> cria_status {
    const DeviceTable &device = check.queue(queue);
    check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16});
    check.pointer("ids", ids, check.size("t", t));
    check.pointer("table", table, check.count({check.size("v", v), check.size("c", c)}));
    check.pointer("out", out, check.count({t, c}));
    return device.embedding(queue, t, v, c, dtype, table, ids, out);
  });
}

cria_status cria_embedding_bwd(cria_queue *queue, int64_t t, int64_t v, int64_t c,
                               const int32_t *ids, const float *dout, float *dtable) {
  return guarded("embedding_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &device = check.queue(queue);
    check.pointer("ids", ids, check.size("t", t));
    check.pointer("dtable", dtable, check.count({check.size("v", v), check.size("c", c)}));
    check.pointer("dout", dout, check.count({t, c}));
    return device.embedding_bwd(queue, t, v, c, ids, dout, dtable);
  });
}

cria_status cria_rmsnorm(cria_queue *queue, int64_t t, int64_t c, float eps, const float *x,
                         const float *gain, float *y, float *inv_rms) {
  return guarded("rmsnorm", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    const int64_t count = check.count({check.size("t", t), check.size("c", c)});
    check.positive("eps", eps);
    check.pointer("x", x, count);
    check.pointer("gain", gain, c);
    check.pointer("y", y, count);
    return table.rmsnorm(queue, t, c, eps, x, gain, y, inv_rms);
  });
}

cria_status cria_rmsnorm_bwd(cria_queue *queue, int64_t t, int64_t c, const float *x,
                             const float *gain, const float *inv_rms, const float *dy,
                             int32_t accumulate_dx, float *dx, float *dgain) {
  return guarded("rmsnorm_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    const int64_t count = check.count({check.size("t", t), check.size("c", c)});
    check.flag("accumulate_dx", accumulate_dx);
    check.pointer("x", x, count);
    check.pointer("gain", gain, c);
    check.pointer("inv_rms", inv_rms, count);
    check.pointer("dy", dy, count);
    check.pointer("dx", dx, count);
    return table.rmsnorm_bwd(queue, t, c, x, gain, inv_rms, dy, accumulate_dx, dx, dgain);
  });
}

cria_status cria_rope(cria_queue *queue, int64_t t, int64_t heads, int64_t d,
                      const int32_t *positions, const float *inv_freq, int32_t inverse,
                      const float *x, float *y) {
  return guarded("rope", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    const int64_t count =
        check.count({check.size("t", t), check.size("heads", heads), check.size("d", d)});
    check.that(d % 2 == 0, "d must be even", d);
    check.flag("inverse", inverse);
    check.pointer("positions", positions, count);
    check.pointer("inv_freq", inv_freq, count);
    check.pointer("x", x, count);
    check.pointer("y", y, count);
    return table.rope(queue, t, heads, d, positions, inv_freq, inverse, x, y);
  });
}

namespace {

// Shapes and pointers that both directions of attention have in common; returns the elements of q.
int64_t check_attention(const Arguments &check, int64_t t, int64_t heads, int64_t kv_heads,
                        int64_t d, int64_t sequence_count, const int32_t *sequences, float scale,
                        cria_dtype precision, const float *q, const float *k, const float *v) {
  check.between("t", t, 0, INT32_MAX);
  check.at_least("heads", heads, 1);
  check.at_least("kv_heads", kv_heads, 1);
  check.that(heads % kv_heads == 0, "heads must be a multiple of kv_heads", heads);
  check.between("d", d, 1, 128);
  check.pointer("sequences", sequences, check.size("sequence_count", sequence_count));
  check.finite("scale", scale);
  check.dtype("precision", precision, {CRIA_F32, CRIA_BF16});
  const int64_t count = check.count({t, heads, d});
  check.pointer("q", q, count);
  check.pointer("k", k, count);
  check.pointer("v", v, count);
  return count;
}

}  // namespace

cria_status cria_attention(cria_queue *queue, int64_t t, int64_t heads, int64_t kv_heads, int64_t d,
                           int64_t sequence_count, const int32_t *sequences, float scale,
                           cria_dtype precision, const float *q, const float *k, const float *v,
                           float *out, float *lse) {
  return guarded("attention", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    const int64_t count = check_attention(check, t, heads, kv_heads, d, sequence_count, sequences,
                                          scale, precision, q, k, v);
    check.pointer("out", out, count);
    check.pointer("lse", lse, count);
    return table.attention(queue, t, heads, kv_heads, d, sequence_count, sequences, scale,
                           precision, q, k, v, out, lse);
  });
}

cria_status cria_attention_bwd(cria_queue *queue, int64_t t, int64_t heads, int64_t kv_heads,
                               int64_t d, int64_t sequence_count, const int32_t *sequences,
                               float scale, cria_dtype precision, const float *q, const float *k,
                               const float *v, const float *out, const float *lse,
                               const float *dout, float *dq, float *dk, float *dv) {
  return guarded("attention_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    const int64_t count = check_attention(check, t, heads, kv_heads, d, sequence_count, sequences,
                                          scale, precision, q, k, v);
    check.pointer("out", out, count);
    check.pointer("lse", lse, count);
    check.pointer("dout", dout, count);
    check.pointer("dq", dq, count);
    check.pointer("dk", dk, count);
    check.pointer("dv", dv, count);
    return table.attention_bwd(queue, t, heads, kv_heads, d, sequence_count, sequences, scale,
                               precision, q, k, v, out, lse, dout, dq, dk, dv);
  });
}

cria_status cria_kv_create(cria_device *device, int64_t capacity, int64_t kv_heads, int64_t d,
                           cria_dtype dtype, cria_kv **cache) {
  return guarded("kv_create", [&](const Arguments &check) -> cria_status {
    check.handle("device", device);
    check.handle("cache", cache);
    check.at_least("kv_heads", kv_heads, 1);
    check.between("d", d, 1, 128);
    check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16});
    check.count({check.size("capacity", capacity), kv_heads, d});
    return device->table->kv_create(device, capacity, kv_heads, d, dtype, cache);
  });
}

cria_status cria_kv_free(cria_kv *cache) {
  return guarded("kv_free", [&](const Arguments &) -> cria_status {
    return cache ? device_of_handle(cache)->table->kv_free(cache) : CRIA_OK;
  });
}

cria_status cria_kv_append(cria_queue *queue, cria_kv *cache, int64_t t, const float *k,
                           const float *v) {
  return guarded("kv_append", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("cache", cache);
    check.same_device(queue, device_of_handle(cache));
    check.pointer("k", k, check.size("t", t));
    check.pointer("v", v, t);
    return table.kv_append(queue, cache, t, k, v);
  });
}

cria_status cria_kv_length(const cria_kv *cache, int64_t *length) {
  return guarded("kv_length", [&](const Arguments &check) -> cria_status {
    check.handle("cache", cache);
    check.handle("length", length);
    return device_of_handle(cache)->table->kv_length(cache, length);
  });
}

cria_status cria_kv_truncate(cria_kv *cache, int64_t length) {
  return guarded("kv_truncate", [&](const Arguments &check) -> cria_status {
    check.handle("cache", cache);
    const DeviceTable &table = *device_of_handle(cache)->table;
    int64_t present = 0;
    table.kv_length(cache, &present);
    check.between("length", length, 0, present);
    return table.kv_truncate(cache, length);
  });
}

cria_status cria_kv_attention(cria_queue *queue, const cria_kv *cache, int64_t t, int64_t heads,
                              float scale, const float *q, float *out) {
  return guarded("kv_attention", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("cache", cache);
    check.same_device(queue, device_of_handle(cache));
    int64_t present = 0;
    table.kv_length(cache, &present);
    check.between("t", t, 0, present);
    check.at_least("heads", heads, 1);
    check.finite("scale", scale);
    check.pointer("q", q, t);
    check.pointer("out", out, t);
    return table.kv_attention(queue, cache, t, heads, scale, q, out);
  });
}

cria_status cria_swiglu(cria_queue *queue, int64_t n, const float *gate, const float *up,
                        float *y) {
  return guarded("swiglu", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("gate", gate, check.count({check.size("n", n)}));
    check.pointer("up", up, n);
    check.pointer("y", y, n);
    return table.swiglu(queue, n, gate, up, y);
  });
}

cria_status cria_swiglu_bwd(cria_queue *queue, int64_t n, const float *gate, const float *up,
                            const float *dy, float *dgate, float *dup) {
  return guarded("swiglu_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("gate", gate, check.count({check.size("n", n)}));
    check.pointer("up", up, n);
    check.pointer("dy", dy, n);
    check.pointer("dgate", dgate, n);
    check.pointer("dup", dup, n);
    return table.swiglu_bwd(queue, n, gate, up, dy, dgate, dup);
  });
}

cria_status cria_add(cria_queue *queue, int64_t n, const float *a, const float *b, float *y) {
  return guarded("add", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("a", a, check.count({check.size("n", n)}));
    check.pointer("b", b, n);
    check.pointer("y", y, n);
    return table.add(queue, n, a, b, y);
  });
}
