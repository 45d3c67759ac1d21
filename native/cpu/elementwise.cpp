// elementwise.cpp: operations that map elements to elements: how they are dealt out to threads.
#include "cpu/kernels/elementwise.h"

#include <algorithm>
#include <cstring>

#include "abi/strides.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

constexpr int64_t kGrain = 16384;  // elements per task

const ElementwiseKernels &kernels(const CpuDevice &device) {
  return elementwise_kernels(device.tier);
}

// Runs kernel(n, from, to) over pieces of two typed arrays.
template <class From, class To>
void map(CpuDevice &device, int64_t n, void (*kernel)(int64_t, const From *, To *),
         const void *from, void *to) {
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    kernel(end - begin, static_cast<const From *>(from) + begin, static_cast<To *>(to) + begin);
  });
}

}  // namespace

cria_status fill(cria_queue *queue, int64_t n, float value, float *x) {
  CpuDevice &device = device_of(queue);
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    kernels(device).fill(end - begin, value, x + begin);
  });
  return CRIA_OK;
}

cria_status cast(cria_queue *queue, int64_t n, cria_dtype from_dtype, const void *from,
                 cria_dtype to_dtype, void *to) {
  CpuDevice &device = device_of(queue);
  const ElementwiseKernels &k = kernels(device);
  if (from_dtype == to_dtype) {
    const int64_t width = from_dtype == CRIA_F32 ? 4 : 2;
    device.parallel_range(n * width, 4 * kGrain, [&](int64_t begin, int64_t end) {
      std::memmove(static_cast<char *>(to) + begin, static_cast<const char *>(from) + begin,
                   static_cast<size_t>(end - begin));
    });
  } else if (to_dtype == CRIA_F32) {
    map(device, n, from_dtype == CRIA_BF16 ? k.f32_from_bf16 : k.f32_from_f16, from, to);
  } else if (from_dtype == CRIA_F32) {
    map(device, n, k.bf16_from_f32, from, to);
  } else {
    map(device, n, k.bf16_from_f16, from, to);
  }
  return CRIA_OK;
}

cria_status axpby(cria_queue *queue, int64_t n, float alpha, const float *x, float beta, float *y) {
  CpuDevice &device = device_of(queue);
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    kernels(device).axpby(end - begin, alpha, x + begin, beta, y + begin);
  });
  return CRIA_OK;
}

cria_status add(cria_queue *queue, int64_t n, const float *a, const float *b, float *y) {
  CpuDevice &device = device_of(queue);
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    kernels(device).binary[CRIA_ADD](end - begin, a + begin, 1, b + begin, 1, y + begin);
  });
  return CRIA_OK;
}

cria_status unary(cria_queue *queue, cria_unary_op op, int64_t n, const float *x, float *y) {
  CpuDevice &device = device_of(queue);
  map(device, n, kernels(device).unary[op], x, y);
  return CRIA_OK;
}

cria_status unary_bwd(cria_queue *queue, cria_unary_op op, int64_t n, const float *x,
                      const float *y, const float *dy, float *dx) {
  CpuDevice &device = device_of(queue);
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    kernels(device).unary_bwd[op](end - begin, x + begin, y + begin, dy + begin, dx + begin);
  });
  return CRIA_OK;
}

cria_status binary(cria_queue *queue, cria_binary_op op, int32_t rank, const int64_t *dims,
                   const float *a, const int64_t *a_strides, const float *b,
                   const int64_t *b_strides, float *y) {
  CpuDevice &device = device_of(queue);
  const auto kernel = kernels(device).binary[op];
  const Box box = Box::collapse(rank, dims, a_strides, b_strides);
  const int32_t last = box.rank - 1;
  int64_t n = 1;
  for (int32_t i = 0; i < box.rank; ++i) n *= box.dims[i];
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    int64_t index[8], rest = begin;
    for (int32_t i = last; i >= 0; --i) {
      index[i] = rest % box.dims[i];
      rest /= box.dims[i];
    }
    for (int64_t at = begin; at < end;) {
      const int64_t run = std::min(end - at, box.dims[last] - index[last]);
      const float *pa = a, *pb = b;
      for (int32_t i = 0; i <= last; ++i) {
        pa += index[i] * box.a[i];
        pb += index[i] * box.b[i];
      }
      kernel(run, pa, box.a[last], pb, box.b[last], y + at);
      at += run;
      index[last] = 0;
      for (int32_t i = last - 1; i >= 0 && ++index[i] == box.dims[i]; --i) index[i] = 0;
    }
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
