// kv_cache.h: the cache of keys and values of one sequence in one layer, as the GPU devices keep it.
#pragma once

#include "device/device.h"
#include "host/gpu_device.h"

// Per key/value head, rows of d elements one after the other, padded with zeros to whole vectors of 16 bytes.
struct cria_kv {
  cria_device *device;
  int64_t capacity, kv_heads, d;
  cria_dtype dtype;
  int64_t length;
  void *keys, *values;  // [kv_heads][head_rows()][width()]

  int64_t element_bytes() const { return dtype == CRIA_BF16 ? 2 : 4; }
  int64_t width() const { return cria::gpu::round_up(d, 16 / element_bytes()); }
  int64_t head_rows() const { return cria::gpu::round_up(capacity, 2); }  // heads start at sectors
  int64_t head_elements() const { return head_rows() * width(); }
  int64_t bytes() const { return kv_heads * head_elements() * element_bytes(); }  // of the keys
};

namespace cria::gpu {

// The rows of a cache as a kernel sees them: a number of the host or, in a graph, what the cache holds when it runs and what
// the graph has appended before.
struct KvLength {
  const int64_t *at_launch;  // null outside of graphs
  int64_t rows;
  CRIA_GPU int64_t operator()() const { return at_launch ? load(at_launch) + rows : rows; }
};

KvLength length_in(GpuQueue &queue, const cria_kv &cache);

}  // namespace cria::gpu
