// embedding.cpp: rows of the token table, and their gradient.
#include <algorithm>
#include <cstring>

#include "abi/error.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

constexpr int64_t kColumns = 64;  // columns of the table's gradient that one task owns

void check_ids(const char *operation, int64_t t, int64_t v, const int32_t *ids) {
  for (int64_t i = 0; i < t; i++)
    if (ids[i] < 0 || ids[i] >= v)
      fail(CRIA_INVALID_ARGUMENT, "%s: ids[%lld] is %d, outside the table of %lld rows", operation,
           (long long)i, (int)ids[i], (long long)v);
}

void widen(int64_t n, const uint16_t *from, float *to) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = (uint32_t)from[i] << 16;
    std::memcpy(to + i, &bits, sizeof bits);
  }
}

}  // namespace

cria_status embedding(cria_queue *queue, int64_t t, int64_t v, int64_t c, cria_dtype dtype,
                      const void *table, const int32_t *ids, float *out) {
  check_ids("embedding", t, v, ids);
  if (c == 0) return CRIA_OK;
  device_of(queue).parallel_range(
      t, std::max<int64_t>(1, 16384 / c), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
          if (dtype == CRIA_BF16) {
            widen(c, static_cast<const uint16_t *>(table) + ids[i] * c, out + i * c);
          } else {
            std::memcpy(out + i * c, static_cast<const float *>(table) + ids[i] * c,
                        c * sizeof(float));
          }
        }
      });
  return CRIA_OK;
}

cria_status embedding_bwd(cria_queue *queue, int64_t t, int64_t v, int64_t c, const int32_t *ids,
                          const float *dout, float *dtable) {
  check_ids("embedding_bwd", t, v, ids);
  // A task owns columns, so that each sum runs in the order of t.
  device_of(queue).parallel_range(c, kColumns, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < t; i++) {
      const float *from = dout + i * c;
      float *to = dtable + ids[i] * c;
      for (int64_t j = begin; j < end; j++) to[j] += from[j];
    }
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
