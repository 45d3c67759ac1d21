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

// Rows of k and v [t,kv_heads,d] to rows length ... of the cache; one thread an element, padding included.
template <class T>
CRIA_KERNEL(kThreads, 4)
void kv_append_kernel(int64_t t, int kv_heads, int d, int width, int64_t head_elements,
                      int64_t length, const float *k, const float *v, T *keys, T *values) {
  const int64_t i = int64_t(block_x()) * kThreads + thread_index();
  if (i >= t * kv_heads * width) return;
  const int column = int(i % width);
  const int64_t row = i / width;  // of [t,kv_heads]
  const int64_t from = row * d + column;
  const int64_t to = row % kv_heads * head_elements + (length + row / kv_heads) * width + column;
  store(keys + to, from_float<T>(column < d ? load(k + from) : 0.0f));
  store(values + to, from_float<T>(column < d ? load(v + from) : 0.0f));
}

template <class T>
void append(GpuQueue &queue, const cria_kv &cache, int64_t t, const float *k, const float *v) {
  launch(queue, "kv_append", &kv_append_kernel<T>,
         {divide_up(t * cache.kv_heads * cache.width(), kThreads)}, kThreads, 0, t, cache.kv_heads,
         cache.d, cache.width(), cache.head_elements(), cache.length, k, v, cache.keys,
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
