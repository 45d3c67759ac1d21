// kv_cache.cu: makes, fills and shortens the cache of keys and values that kv_attention.cu reads.
#include "kv_cache.h"

#include <cinttypes>
#include <memory>

#include "abi/error.h"
#include "each.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kRows = kThreads / kWarp;  // of a block

// Columns i ... i + 3 of a row of d, 0 beyond; VECTORS: d is a multiple of 4 and the row aligned to 16 bytes.
template <bool VECTORS>
CRIA_GPU Vec<float, 4> read_columns(const float *row, int i, int d) {
  Vec<float, 4> out = {};
  if constexpr (VECTORS) {
    if (i < d) out = load_vec<4>(row + i);
  } else {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (i + j < d) out[j] = load(row + i + j);
    }
  }
  return out;
}

template <class T>
CRIA_GPU void write_columns(T *to, Vec<float, 4> x) {
  store_vec(to, Vec<T, 4>{{from_float<T>(x[0]), from_float<T>(x[1]), from_float<T>(x[2]),
                           from_float<T>(x[3])}});
}

// Rows of k and v [t,kv_heads,d] to rows length ... of the cache; one warp a row, padding included.
template <class T, bool VECTORS>
CRIA_KERNEL(kThreads, 4)
void kv_append_kernel(int64_t rows, int kv_heads, int d, int width, int64_t head_elements,
                      KvLength length, const float *k, const float *v, T *keys, T *values) {
  const int64_t row = int64_t(block_x()) * kRows + warp_index();
  const int column = lane_index() * 4;
  if (row >= rows || column >= width) return;
  const int64_t to = row % kv_heads * head_elements + (length() + row / kv_heads) * width + column;
  write_columns(keys + to, read_columns<VECTORS>(k + row * d, column, d));
  write_columns(values + to, read_columns<VECTORS>(v + row * d, column, d));
}

template <class T>
void append(GpuQueue &queue, const cria_kv &cache, int64_t t, const float *k, const float *v) {
  const auto kernel =
      vectors_of_4(cache.d, {k, v}) ? &kv_append_kernel<T, true> : &kv_append_kernel<T, false>;
  const int64_t rows = t * cache.kv_heads;
  launch(queue, "kv_append", kernel, {divide_up(rows, kRows)}, kThreads, 0, rows, cache.kv_heads,
         cache.d, cache.width(), cache.head_elements(), length_in(queue, cache), k, v, cache.keys,
         cache.values);
}

}  // namespace

cria_status kv_create(cria_device *device, int64_t capacity, int64_t kv_heads, int64_t d,
                      cria_dtype dtype, cria_kv **cache) {
  auto created =
      std::make_unique<cria_kv>(cria_kv{device, capacity, kv_heads, d, dtype, 0, nullptr, nullptr});
  const int64_t bytes = created->bytes();
  created->keys = static_cast<GpuDevice &>(*device).allocate("kv_create", 2 * bytes);
  created->values = static_cast<char *>(created->keys) + bytes;
  *cache = created.release();
  return CRIA_OK;
}

cria_status kv_free(cria_kv *cache) {
  static_cast<GpuDevice &>(*cache->device).release(cache->keys, 2 * cache->bytes());
  delete cache;
  return CRIA_OK;
}

cria_status kv_append(cria_queue *queue, cria_kv *cache, int64_t t, const float *k,
                      const float *v) {
  if (t > cache->capacity - cache->length) {
    fail(CRIA_INVALID_ARGUMENT,
         "kv_append: the cache is full: capacity %" PRId64 ", length %" PRId64 ", %" PRId64
         " rows to append",
         cache->capacity, cache->length, t);
  }
  (cache->dtype == CRIA_BF16 ? append<bf16> : append<float>)(queue_of(queue), *cache, t, k, v);
  cache->length += t;
  return CRIA_OK;
}

cria_status kv_length(const cria_kv *cache, int64_t *length) {
  *length = cache->length;
  return CRIA_OK;
}

cria_status kv_truncate(cria_kv *cache, int64_t length) {
  cache->length = length;
  return CRIA_OK;
}

}  // namespace cria::gpu
