// rows_by_index.cpp: gathering, scattering and scaling of rows, and sums over segments.
#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "abi/error.h"
#include "cpu/cpu_device.h"
#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/reductions.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

constexpr int64_t kGrain = 16384;  // elements per task

int64_t row_grain(int64_t cols) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cols));
}

void check_indices(const char *operation, int64_t n, int64_t rows, const int32_t *index) {
  for (int64_t i = 0; i < n; ++i) {
    if (index[i] < 0 || index[i] >= rows) {
      fail(CRIA_INVALID_ARGUMENT,
           "%s: index %d at place %" PRId64 " is outside of [0, %" PRId64 ")", operation, index[i],
           i, rows);
    }
  }
}

void check_offsets(const char *operation, int64_t segments, const int32_t *offsets) {
  if (segments > 0 && offsets[0] < 0) {
    fail(CRIA_INVALID_ARGUMENT, "%s: the first offset is negative: %d", operation, offsets[0]);
  }
  for (int64_t s = 0; s < segments; ++s) {
    if (offsets[s] > offsets[s + 1]) {
      fail(CRIA_INVALID_ARGUMENT,
           "%s: offsets must ascend: %d at place %" PRId64 " is followed by %d", operation,
           offsets[s], s, offsets[s + 1]);
    }
  }
}

}  // namespace

cria_status gather_rows(cria_queue *queue, int64_t n, int64_t rows, int64_t c, const int32_t *index,
                        const float *x, float *y) {
  check_indices("gather_rows", n, rows, index);
  if (c == 0) return CRIA_OK;
  device_of(queue).parallel_range(n, row_grain(c), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::memcpy(y + i * c, x + index[i] * c, static_cast<size_t>(c) * sizeof(float));
    }
  });
  return CRIA_OK;
}

// Rows may repeat, so threads share the columns: each adds its block of columns in the order of i.
cria_status scatter_add_rows(cria_queue *queue, int64_t n, int64_t rows, int64_t c,
                             const int32_t *index, const float *y, float *x) {
  check_indices("scatter_add_rows", n, rows, index);
  CpuDevice &device = device_of(queue);
  const auto add = elementwise_kernels(device.tier).binary[CRIA_ADD];
  device.parallel_range(c, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i) {
      float *to = x + index[i] * c + begin;
      add(end - begin, to, 1, y + i * c + begin, 1, to);
    }
  });
  return CRIA_OK;
}

cria_status scale_rows(cria_queue *queue, int64_t rows, int64_t cols, const float *s,
                       const float *x, float *y) {
  CpuDevice &device = device_of(queue);
  const auto multiply = elementwise_kernels(device.tier).binary[CRIA_MUL];
  device.parallel_range(rows, row_grain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) multiply(cols, x + r * cols, 1, s + r, 0, y + r * cols);
  });
  return CRIA_OK;
}

cria_status segment_sum(cria_queue *queue, int64_t segments, const int32_t *offsets, const float *x,
                        float *y) {
  check_offsets("segment_sum", segments, offsets);
  CpuDevice &device = device_of(queue);
  const auto sum = reduction_kernels(device.tier).sum;
  device.parallel_range(segments, 64, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      y[s] = static_cast<float>(sum(offsets[s + 1] - offsets[s], x + offsets[s]));
    }
  });
  return CRIA_OK;
}

cria_status segment_broadcast(cria_queue *queue, int64_t segments, const int32_t *offsets,
                              const float *y, float *x) {
  check_offsets("segment_broadcast", segments, offsets);
  device_of(queue).parallel_range(segments, 64, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) std::fill(x + offsets[s], x + offsets[s + 1], y[s]);
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
