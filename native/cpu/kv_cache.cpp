// kv_cache.cpp: the cache of keys and values of one sequence in one layer, and attention of its last rows.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "abi/error.h"
#include "cpu/attention_rows.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

// Per key/value head: keys as tiles [d][kTileKeys], the form that attention multiplies with; values as rows [d]. New
// rows go to their place once and are never packed again.
struct cria_kv {
  cria_device *device;
  int64_t capacity, kv_heads, d;
  cria_dtype dtype;
  int64_t length;
  int64_t bytes;  // of both arrays together
  void *keys;     // kv_heads * key_head() elements, then the values
  void *
      values;  // kv_heads * capacity * d elements and room to read a whole row of vectors from the last one

  int64_t element() const { return dtype == CRIA_BF16 ? 2 : 4; }
  int64_t key_head() const { return cria::cpu::round_up(capacity, cria::cpu::kTileKeys) * d; }
};

namespace cria::cpu {
namespace {

// Keys per task when the rows of a call fit one block: fixed, so that the order of merging is, too.
constexpr int64_t kChunkKeys = 512;
static_assert(kChunkKeys % kTileKeys == 0);

CpuDevice &device_of(const cria_kv *cache) { return static_cast<CpuDevice &>(*cache->device); }

void convert(float from, float *to) { *to = from; }

// Rounds to nearest even; a number that is none stays one.
void convert(float from, uint16_t *to) {
  uint32_t bits;
  std::memcpy(&bits, &from, sizeof bits);
  if (from != from) {
    *to = static_cast<uint16_t>(bits >> 16 | 0x40);
  } else {
    *to = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

template <class Element>
void append_head(cria_kv &cache, int64_t head, int64_t t, const float *k, const float *v) {
  Element *keys = static_cast<Element *>(cache.keys) + head * cache.key_head();
  Element *values = static_cast<Element *>(cache.values) + head * cache.capacity * cache.d;
  for (int64_t i = 0; i < t; i++) {
    const int64_t row = cache.length + i;
    const int64_t from = (i * cache.kv_heads + head) * cache.d;
    Element *column = keys + row / kTileKeys * cache.d * kTileKeys + row % kTileKeys;
    for (int64_t j = 0; j < cache.d; j++) {
      convert(k[from + j], column + j * kTileKeys);
      convert(v[from + j], values + row * cache.d + j);
    }
  }
}

// What one call computes. Query rows are numbered as in AttentionPlan: (row of q, head of the group).
struct Call {
  const cria_kv &cache;
  const AttentionKernels &kernels;
  int64_t t, heads, group;
  float scale;
  const float *q;
  float *out;

  int64_t row(int64_t kv_head, int64_t r) const {
    return ((r / group) * heads + kv_head * group + r % group) * cache.d;
  }
};

// Attention of query rows first .. first + rows over keys begin .. end.
template <class Element>
void see_keys(const Call &call, int64_t kv_head, int64_t first, int64_t rows, int64_t begin,
              int64_t end, CachedAttentionRows &state) {
  const cria_kv &cache = call.cache;
  const Element *keys = static_cast<const Element *>(cache.keys) + kv_head * cache.key_head();
  const Element *values =
      static_cast<const Element *>(cache.values) + kv_head * cache.capacity * cache.d;
  for (int64_t i = 0; i < rows; i++) state.set_query(i, call.q + call.row(kv_head, first + i));
  const int64_t before = cache.length - call.t + 1;  // keys that the first row of q sees
  int32_t high[kTileRows];
  for (int64_t base = begin; base < end; base += kTileKeys) {
    for (int64_t i = 0; i < rows; i++) {
      const int64_t seen = before + (first + i) / call.group - base;
      high[i] = static_cast<int32_t>(std::min(std::max<int64_t>(seen, 0), kTileKeys));
    }
    if (high[rows - 1] == 0) return;
    state.see(keys + base * cache.d, values + base * cache.d, high);
  }
}

void see_keys(const Call &call, int64_t kv_head, int64_t first, int64_t rows, int64_t begin,
              int64_t end, CachedAttentionRows &state) {
  if (call.cache.dtype == CRIA_BF16) {
    see_keys<uint16_t>(call, kv_head, first, rows, begin, end, state);
  } else {
    see_keys<float>(call, kv_head, first, rows, begin, end, state);
  }
}

// Many rows or few keys: a task is a block of rows and sees all keys.
void whole_blocks(CpuDevice &device, const Call &call) {
  const int64_t rows = call.t * call.group, blocks = divide_up(rows, kTileRows);
  device.parallel(call.cache.kv_heads * blocks, [&](int64_t task) {
    const int64_t kv_head = task % call.cache.kv_heads;
    const int64_t first =
        (blocks - 1 - task / call.cache.kv_heads) * kTileRows;  // the longest first
    const int64_t count = std::min(kTileRows, rows - first);
    CachedAttentionRows state(device, call.kernels, count, call.cache.d, call.scale);
    see_keys(call, kv_head, first, count, 0, call.cache.length, state);
    for (int64_t i = 0; i < count; i++) state.finish(i, call.out + call.row(kv_head, first + i));
  });
}

// Few rows and many keys: a task is a chunk of keys; the chunks of a row are then merged in order.
void key_chunks(CpuDevice &device, const Call &call) {
  const cria_kv &cache = call.cache;
  const int64_t rows = call.t * call.group, chunks = divide_up(cache.length, kChunkKeys);
  const int64_t part = rows * (cache.d + 2);  // of each row: output [d], maximum, sum
  ScratchBlock scratch(device,
                       cache.kv_heads * chunks * part * static_cast<int64_t>(sizeof(float)));
  float *parts = scratch.as<float>();
  device.parallel(cache.kv_heads * chunks, [&](int64_t task) {
    const int64_t begin = task % chunks * kChunkKeys;
    CachedAttentionRows state(device, call.kernels, rows, cache.d, call.scale);
    see_keys(call, task / chunks, 0, rows, begin, std::min(begin + kChunkKeys, cache.length),
             state);
    float *to = parts + task * part;
    for (int64_t i = 0; i < rows; i++, to += cache.d + 2) {
      std::copy_n(state.output(i), cache.d, to);
      to[cache.d] = state.maximum(i);
      to[cache.d + 1] = state.sum(i);
    }
  });
  device.parallel(cache.kv_heads, [&](int64_t kv_head) {
    for (int64_t i = 0; i < rows; i++) {
      const float *from = parts + kv_head * chunks * part + i * (cache.d + 2);
      float *out = call.out + call.row(kv_head, i);
      float top = from[cache.d];  // finite: every row sees the first key
      for (int64_t c = 1; c < chunks; c++) top = std::max(top, from[c * part + cache.d]);
      double sum = 0;
      for (int64_t c = 0; c < chunks; c++)
        sum += static_cast<double>(std::exp2(from[c * part + cache.d] - top)) *
               from[c * part + cache.d + 1];
      std::fill(out, out + cache.d, 0.0f);
      for (int64_t c = 0; c < chunks; c++) {
        const float weight = static_cast<float>(std::exp2(from[c * part + cache.d] - top) / sum);
        for (int64_t j = 0; j < cache.d; j++) out[j] += weight * from[c * part + j];
      }
    }
  });
}

}  // namespace

cria_status kv_create(cria_device *device, int64_t capacity, int64_t kv_heads, int64_t d,
                      cria_dtype dtype, cria_kv **cache) {
  auto created = std::make_unique<cria_kv>(
      cria_kv{device, capacity, kv_heads, d, dtype, 0, 0, nullptr, nullptr});
  const int64_t key_bytes = kv_heads * created->key_head() * created->element();
  const int64_t value_bytes = (kv_heads * capacity * d + kColumnUnit) * created->element();
  created->bytes = key_bytes + value_bytes;
  created->keys = static_cast<CpuDevice &>(*device).allocate("kv_create", created->bytes);
  created->values = static_cast<char *>(created->keys) + key_bytes;
  *cache = created.release();
  return CRIA_OK;
}

cria_status kv_free(cria_kv *cache) {
  device_of(cache).release(cache->keys, cache->bytes);
  delete cache;
  return CRIA_OK;
}

cria_status kv_append(cria_queue *queue, cria_kv *cache, int64_t t, const float *k,
                      const float *v) {
  if (t > cache->capacity - cache->length)
    fail(CRIA_INVALID_ARGUMENT,
         "kv_append: the cache is full: capacity %lld, length %lld, %lld rows to append",
         static_cast<long long>(cache->capacity), static_cast<long long>(cache->length),
         static_cast<long long>(t));
  const auto head = [&](int64_t h) {
    if (cache->dtype == CRIA_BF16) {
      append_head<uint16_t>(*cache, h, t, k, v);
    } else {
      append_head<float>(*cache, h, t, k, v);
    }
  };
  // A row or two is written faster than threads wake up.
  if (t <= 4) {
    for (int64_t h = 0; h < cache->kv_heads; h++) head(h);
  } else {
    device_of(queue).parallel(cache->kv_heads, head);
  }
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

cria_status kv_attention(cria_queue *queue, const cria_kv *cache, int64_t t, int64_t heads,
                         float scale, const float *q, float *out) {
  if (heads % cache->kv_heads != 0)
    fail(CRIA_INVALID_ARGUMENT, "kv_attention: %lld heads are not a multiple of the cache's %lld",
         static_cast<long long>(heads), static_cast<long long>(cache->kv_heads));
  if (t == 0) return CRIA_OK;
  CpuDevice &device = device_of(queue);
  const Call call{
      *cache, attention_kernels(device.tier).f32, t, heads, heads / cache->kv_heads, scale, q, out};
  if (t * call.group <= kTileRows && cache->length > kChunkKeys) {
    key_chunks(device, call);
  } else {
    whole_blocks(device, call);
  }
  return CRIA_OK;
}

}  // namespace cria::cpu
