// nf4.cpp: NF4 matrices of the CPU device: making, reading and freeing them.
#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <memory>

#include "abi/dynamic_map.h"
#include "abi/error.h"
#include "abi/nf4_values.h"
#include "cpu/cpu_device.h"
#include "cpu/gemm/pack.h"
#include "cpu/kernels/nf4_codec.h"
#include "cpu/nf4_matrix.h"
#include "cpu/operations.h"
#include "cpu/rounding.h"

namespace cria::cpu {

namespace {

constexpr int64_t kRowsAtOnce = 16;  // decoded by a task
constexpr int64_t kGrain = 65536;    // weights per task, a multiple of every block size
constexpr int64_t kNestedBlock = 256;

struct Free {
  void operator()(cria_nf4 *w) const { nf4_free(w); }
};
using Matrix = std::unique_ptr<cria_nf4, Free>;

// A matrix with its memory, contents undefined but for the shape. nested_block_size 0: plain scales.
Matrix make_matrix(const char *operation, CpuDevice &device, int64_t n, int64_t k,
                   int64_t block_size, int64_t nested_block_size) {
  Matrix w(new cria_nf4{});
  w->device = &device;
  w->n = n;
  w->k = k;
  w->block_size = block_size;
  w->nested_block_size = nested_block_size;
  w->blocks = divide_up(n * k, block_size);
  w->bytes = 0;
  const auto take = [&](auto *&array, int64_t count) {
    const int64_t bytes = count * static_cast<int64_t>(sizeof *array);
    using Element = std::remove_reference_t<decltype(*array)>;
    array = static_cast<Element *>(device.allocate(operation, bytes));
    w->bytes += bytes;
  };
  take(w->codes, divide_up(n * k, 2));
  if (nested_block_size == 0) {
    take(w->scales, w->blocks);
  } else {
    take(w->scale_codes, w->blocks);
    take(w->nested_absmax, divide_up(w->blocks, nested_block_size));
    take(w->nested_map, 256);
  }
  return w;
}

// Quantises all weights; scales [blocks]. Throws on a weight that is not finite.
void quantize_weights(CpuDevice &device, const cria_nf4 &w, cria_dtype dtype, const void *weights,
                      float *scales) {
  const auto kernel = nf4_kernels(device.tier).quantize[dtype];
  const int64_t width = dtype == CRIA_F32 ? 4 : 2;
  float bounds[15];
  for (int i = 0; i < 15; ++i) bounds[i] = nf4_bound(i);
  device.parallel_range(w.n * w.k, kGrain, [&](int64_t begin, int64_t end) {
    const int64_t bad = kernel(end - begin, w.block_size, bounds,
                               static_cast<const char *>(weights) + begin * width,
                               w.codes + begin / 2, scales + begin / w.block_size);
    if (bad >= 0) {
      fail(CRIA_NOT_FINITE,
           "nf4_quantize: the weight at index %" PRId64 " of [%" PRId64 ", %" PRId64
           "] is not finite",
           begin + bad, w.n, w.k);
    }
  });
}

// Second level: codes of scales minus their mean, in groups with one maximum each.
void quantize_scales(CpuDevice &device, cria_nf4 &w, const float *scales) {
  constexpr int64_t kPiece = 1 << 16;
  const ScratchBlock scratch(device, divide_up(w.blocks, kPiece) * 8);
  double *partial = scratch.as<double>();
  device.parallel_range(w.blocks, kPiece, [&](int64_t begin, int64_t end) {
    double sum = 0;
    for (int64_t b = begin; b < end; ++b) sum += scales[b];
    partial[begin / kPiece] = sum;
  });
  double total = 0;
  for (int64_t i = 0; i < divide_up(w.blocks, kPiece); ++i) total += partial[i];
  w.nested_offset = w.blocks > 0 ? static_cast<float>(total / static_cast<double>(w.blocks)) : 0.0f;

  const DynamicMap &map = signed_dynamic_map();
  std::memcpy(w.nested_map, map.values, sizeof map.values);
  device.parallel_range(w.blocks, 64 * kNestedBlock, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; group += kNestedBlock) {
      const int64_t stop = std::min(end, group + kNestedBlock);
      float largest = 0;
      for (int64_t b = group; b < stop; ++b) {
        largest = std::max(largest, std::abs(scales[b] - w.nested_offset));
      }
      const float reciprocal = 1.0f / std::max(largest, kLeastMaximum);
      w.nested_absmax[group / kNestedBlock] = largest;
      for (int64_t b = group; b < stop; ++b) {
        w.scale_codes[b] = nearest_code(map, (scales[b] - w.nested_offset) * reciprocal);
      }
    }
  });
}

template <class T>
void copy_part(const char *name, const T *part, int64_t count, T *to) {
  if (!to) return;
  if (!part) fail(CRIA_INVALID_ARGUMENT, "nf4_export: this matrix has no %s", name);
  std::memcpy(to, part, static_cast<size_t>(count) * sizeof(T));
}

}  // namespace

cria_status nf4_quantize(cria_queue *queue, int64_t n, int64_t k, int64_t block_size,
                         int32_t double_quant, cria_dtype dtype, const void *weights,
                         cria_nf4 **matrix) {
  CpuDevice &device = device_of(queue);
  Matrix w = make_matrix("nf4_quantize", device, n, k, block_size, double_quant ? kNestedBlock : 0);
  std::memcpy(w->code_map, kNf4Values, sizeof kNf4Values);
  if (double_quant) {
    const ScratchBlock scales(device, w->blocks * 4);
    quantize_weights(device, *w, dtype, weights, scales.as<float>());
    quantize_scales(device, *w, scales.as<float>());
  } else {
    quantize_weights(device, *w, dtype, weights, w->scales);
  }
  *matrix = w.release();
  return CRIA_OK;
}

cria_status nf4_import(cria_queue *queue, int64_t n, int64_t k, int64_t block_size,
                       const uint8_t *codes, const float *code_map, const float *absmax,
                       const uint8_t *absmax_codes, int64_t nested_block_size,
                       const float *nested_absmax, const float *nested_map, float nested_offset,
                       cria_nf4 **matrix) {
  const bool nested = absmax == nullptr && nested_map != nullptr;
  Matrix w =
      make_matrix("nf4_import", device_of(queue), n, k, block_size, nested ? nested_block_size : 0);
  const auto bytes = [](int64_t count, size_t width) { return static_cast<size_t>(count) * width; };
  if (n * k > 0) std::memcpy(w->codes, codes, bytes(divide_up(n * k, 2), 1));
  std::memcpy(w->code_map, code_map, sizeof w->code_map);
  if (nested) {
    if (w->blocks > 0) {
      std::memcpy(w->scale_codes, absmax_codes, bytes(w->blocks, 1));
      std::memcpy(w->nested_absmax, nested_absmax,
                  bytes(divide_up(w->blocks, nested_block_size), sizeof(float)));
    }
    std::memcpy(w->nested_map, nested_map, 256 * sizeof(float));
    w->nested_offset = nested_offset;
  } else if (w->blocks > 0) {
    std::memcpy(w->scales, absmax, bytes(w->blocks, sizeof(float)));
  }
  *matrix = w.release();
  return CRIA_OK;
}

cria_status nf4_info(const cria_nf4 *w, int64_t *n, int64_t *k, int64_t *block_size,
                     int64_t *nested_block_size, int64_t *bytes) {
  if (n) *n = w->n;
  if (k) *k = w->k;
  if (block_size) *block_size = w->block_size;
  if (nested_block_size) *nested_block_size = w->nested_block_size;
  if (bytes) *bytes = w->bytes;
  return CRIA_OK;
}

cria_status nf4_export(cria_queue *, const cria_nf4 *w, uint8_t *codes, float *code_map,
                       float *absmax, uint8_t *absmax_codes, float *nested_absmax,
                       float *nested_map, float *nested_offset) {
  copy_part("codes", w->codes, divide_up(w->n * w->k, 2), codes);
  copy_part("code map", w->code_map, 16, code_map);
  copy_part("scale codes", w->scale_codes, w->blocks, absmax_codes);
  copy_part("nested maxima", w->nested_absmax,
            w->scales ? 0 : divide_up(w->blocks, w->nested_block_size), nested_absmax);
  copy_part("nested map", w->nested_map, 256, nested_map);
  copy_part("nested offset", w->scales ? nullptr : &w->nested_offset, 1, nested_offset);
  if (absmax) {
    for (int64_t b = 0; b < w->blocks; ++b) absmax[b] = nf4_scale(*w, b);
  }
  return CRIA_OK;
}

cria_status nf4_dequantize(cria_queue *queue, const cria_nf4 *w, int64_t row, int64_t rows,
                           cria_dtype dtype, void *out) {
  CpuDevice &device = device_of(queue);
  const MatrixB matrix{MatrixB::nf4, w, w->k, false};
  const RowReader reader(gemm_kernels(device.tier), matrix, dtype == CRIA_BF16);
  device.parallel_range(rows, kRowsAtOnce, [&](int64_t begin, int64_t end) {
    int64_t ld = w->k;
    char *to = static_cast<char *>(out) + begin * w->k * reader.element_size();
    reader.read_rows(row + begin, end - begin, 0, w->k, to, &ld);
  });
  return CRIA_OK;
}

cria_status nf4_free(cria_nf4 *w) {
  auto &device = static_cast<CpuDevice &>(*w->device);
  device.release(w->codes, divide_up(w->n * w->k, 2));
  device.release(w->scales, w->blocks * 4);
  device.release(w->scale_codes, w->blocks);
  if (w->nested_absmax) {
    device.release(w->nested_absmax, divide_up(w->blocks, w->nested_block_size) * 4);
  }
  device.release(w->nested_map, 256 * 4);
  delete w;
  return CRIA_OK;
}

}  // namespace cria::cpu
