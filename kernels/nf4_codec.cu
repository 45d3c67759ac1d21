// nf4_codec.cu: quantisation of weights to NF4 and back.
//
// Both are bound by memory. Quantising is bit for bit that of the CPU device: per block the largest magnitude a, then the
// number of bounds below x * (1 / a); with double quantisation the scales less their mean, in groups of 256, by the signed
// dynamic map. Scales are found by block, then coded and turned into the order of the kernels by a second pass.
#include <algorithm>
#include <cinttypes>

#include "abi/dynamic_map.h"
#include "abi/error.h"
#include "abi/nf4_values.h"
#include "device/block.h"
#include "host/launch.h"
#include "host/operations.h"
#include "nf4_matrix.h"

namespace cria::gpu {
namespace {

// What quantising reports to the host.
struct Findings {
  uint64_t not_finite;  // index of the first such weight, or all ones
  float mean;           // of the scales
};

constexpr int kPerThread = 4;
constexpr int kChunkThreads = 1024;
constexpr int kChunk = kPerThread * kChunkThreads;  // 4096: whole blocks of every size
constexpr int kMapThreads = 256;

CRIA_GPU uint32_t nf4_code(float v) {
  uint32_t code = 0;
#pragma unroll
  for (int i = 0; i < 15; ++i) code += v > nf4_bound(i);
  return code;
}

// A thread codes 4 weights that follow each other; a block is 8 threads to the whole block of threads.
template <class T, int N>
CRIA_KERNEL(kChunkThreads, 1)
void quantize_kernel(int64_t count, int block_shift, const T *w, uint8_t *codes, float *scales,
                     Findings *findings) {
  const Shared<uint32_t> partial = shared<uint32_t>(0);
  const int64_t first = int64_t(block_x()) * kChunk + thread_index() * kPerThread;
  float v[kPerThread];
  if (N == kPerThread && first + kPerThread <= count) {
    const Vec<T, N> in = load_vec<N>(w + first);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = to_float(in[i]);
  } else {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i)
      v[i] = first + i < count ? to_float(load(w + first + i)) : 0;
  }

  // Magnitudes order like their bits; what is not finite lies above all others.
  uint32_t most = 0;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    const uint32_t bits = bits_of(v[i]) & 0x7FFFFFFFu;
    if (bits >= 0x7F800000u) atomic_min(&findings->not_finite, uint64_t(first + i));
    most = bits > most ? bits : most;
  }
  const int threads = (1 << block_shift) / kPerThread;
  for (int step = 1; step < minimum(threads, kWarp); step *= 2) {
    const uint32_t other = shuffle_xor(most, step);
    most = other > most ? other : most;
  }
  if (threads > kWarp) {
    if (lane_index() == 0) partial.store(warp_index(), most);
    block_sync();
    const int warps = threads / kWarp, begin = warp_index() / warps * warps;
    for (int i = begin; i < begin + warps; ++i) {
      const uint32_t other = partial.load(i);
      most = other > most ? other : most;
    }
  }
  if (first >= count) return;
  const float largest = float_of(most);
  if (thread_index() % threads == 0) store(scales + (first >> block_shift), largest);

  // As bitsandbytes: the reciprocal of a zero or denormal maximum stays finite, so zeros get code 7.
  const float reciprocal = 1.0f / fmaxf(largest, kLeastMaximum);
  uint32_t code[kPerThread];
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) code[i] = nf4_code(v[i] * reciprocal);
  const Vec<uint8_t, 2> bytes{{uint8_t(code[0] << 4 | code[1]), uint8_t(code[2] << 4 | code[3])}};
  if (first + 2 < count) {
    store_vec(codes + first / 2, bytes);
  } else {
    store(codes + first / 2, bytes[0]);
  }
}

// The mean of the scales, summed in float64: threads in strides, then a tree.
CRIA_KERNEL(kChunkThreads, 1)
void mean_kernel(int64_t blocks, const float *scales, Findings *findings) {
  double sum = 0;
  for (int64_t b = thread_index(); b < blocks; b += kChunkThreads) sum += load(scales + b);
  sum = block_sum<kChunkThreads>(sum, 0);
  if (thread_index() == 0) store(&findings->mean, float(sum / double(blocks)));
}

CRIA_KERNEL(kMapThreads, 4)
void group_kernel(int64_t blocks, const float *scales, const Findings *findings, float *absmax) {
  const int64_t b = int64_t(block_x()) * kMapThreads + thread_index();
  const float distance = b < blocks ? fabsf(load(scales + b) - load(&findings->mean)) : 0;
  const float most = block_max<kMapThreads>(distance, 0);
  if (thread_index() == 0) store(absmax + block_x(), most);
}

// Scales [rows, columns] become codes or stay floats, and are turned to [columns, rows]; tiles of 32 x 32.
constexpr int kTile = 32;
constexpr int kTileBytes = kTile * (kTile + 1) * 4;

template <bool NESTED>
CRIA_KERNEL(kMapThreads, 4)
void turn_scales_kernel(int64_t rows, int64_t columns, const float *scales,
                        const Findings *findings, const float *group_absmax, const float *map,
                        uint8_t *codes, float *floats) {
  constexpr int kWarps = kMapThreads / kWarp;
  const Shared<float> tile = shared<float>(0);
  const Shared<float> bounds = shared<float>(kTileBytes);
  if constexpr (NESTED) {
    const int i = thread_index();
    if (i < 255) bounds.store(i, (load(map + i) + load(map + i + 1)) / 2);
    block_sync();
  }
  const int64_t row0 = int64_t(block_y()) * kTile, column0 = int64_t(block_x()) * kTile;
  for (int i = warp_index(); i < kTile; i += kWarps) {
    const int64_t row = row0 + i, column = column0 + lane_index();
    if (row >= rows || column >= columns) continue;
    const int64_t b = row * columns + column;
    float value = load(scales + b);
    if constexpr (NESTED) {
      const float most = load(group_absmax + b / kMapThreads);
      const float v = (value - load(&findings->mean)) * (1.0f / fmaxf(most, kLeastMaximum));
      uint32_t code = 0;
      for (uint32_t step = 128; step > 0; step /= 2) {
        if (v > bounds.load(int(code + step - 1))) code += step;
      }
      value = float_of(code);
    }
    tile.store(i * (kTile + 1) + lane_index(), value);
  }
  block_sync();
  for (int i = warp_index(); i < kTile; i += kWarps) {
    const int64_t row = row0 + lane_index(), column = column0 + i;
    if (row >= rows || column >= columns) continue;
    const float value = tile.load(lane_index() * (kTile + 1) + i);
    if constexpr (NESTED) {
      store(codes + column * rows + row, uint8_t(bits_of(value)));
    } else {
      store(floats + column * rows + row, value);
    }
  }
}

// ---- Dequantisation

template <class T>
CRIA_GPU T as(bf16 x) {
  if constexpr (sizeof(T) == sizeof(bf16)) {
    return x;
  } else {
    return to_float(x);
  }
}

// Tiles of 32 rows and 8 runs of 64 elements, so that scales, which lie by column, are read whole.
constexpr int kRows = 32, kRuns = 8;
constexpr int kScalePitch = kRows + 1;
constexpr int kDequantizeShared = (16 + kRuns * kScalePitch) * 4;

template <class T, bool VECTOR>
CRIA_KERNEL(kMapThreads, 4)
void dequantize_kernel(Nf4 w, int64_t first_row, int64_t rows, T *out) {
  constexpr int kElements = 16 / sizeof(T);  // of a lane
  const Shared<float> values = shared<float>(0);
  const Shared<float> scales = shared<float>(16 * 4);
  const int64_t row0 = int64_t(block_y()) * kRows, run0 = int64_t(block_x()) * kRuns;
  {
    if (thread_index() < 16) values.store(thread_index(), load(w.maps + thread_index()));
    const int row = lane_index(), run = warp_index();
    if (row0 + row < rows && (run0 + run) * 64 < w.k) {
      const RawScale raw = load_run_scale(w, first_row + row0 + row, run0 + run);
      scales.store(run * kScalePitch + row, scale_of(w, raw, [&](uint32_t code) {
                     return load(w.maps + kScaleMap + code);
                   }));
    }
  }
  block_sync();
  for (int i = 0; i < kRows / kRuns; ++i) {
    const int row = warp_index() * (kRows / kRuns) + i;
    if (row0 + row >= rows) break;
    const uint8_t *codes = w.codes + (first_row + row0 + row) * w.k / 2;
    T *to = out + (row0 + row) * w.k;
    for (int j = lane_index() * kElements; j < kRuns * 64; j += kWarp * kElements) {
      const int64_t column = run0 * 64 + j;
      if (column >= w.k) break;
      const float scale = scales.load(j / 64 * kScalePitch + row);
      const Vec<uint8_t, kElements / 2> bytes = load_vec<kElements / 2>(codes + column / 2);
      Vec<T, kElements> value;
#pragma unroll
      for (int e = 0; e < kElements; ++e) {
        const int code = e % 2 == 0 ? bytes[e / 2] >> 4 : bytes[e / 2] & 15;
        value[e] = as<T>(to_bf16(values.load(code) * scale));
      }
      if constexpr (VECTOR) {
        store_vec(to + column, value);
      } else {
#pragma unroll
        for (int e = 0; e < kElements; ++e) store(to + column + e, value[e]);
      }
    }
  }
}

// Matrices whose blocks straddle rows, or are shorter than a run.
template <class T>
CRIA_KERNEL(kMapThreads, 4)
void dequantize_each_kernel(Nf4 w, int64_t first, int64_t count, T *out) {
  const int64_t i = int64_t(block_x()) * kMapThreads + thread_index();
  if (i < count) store(out + i, as<T>(to_bf16(weight_at(w, first + i))));
}

template <class T>
void dequantize(GpuQueue &queue, const Nf4 &w, int64_t row, int64_t rows, T *out) {
  if (!w.regular()) {
    launch(queue, "nf4_dequantize", &dequantize_each_kernel<T>,
           {divide_up(rows * w.k, kMapThreads)}, kMapThreads, 0, w, row * w.k, rows * w.k, out);
    return;
  }
  const auto kernel =
      vectors_of_4(4, {out}) ? &dequantize_kernel<T, true> : &dequantize_kernel<T, false>;
  const Grid grid{divide_up(w.k, kRuns * 64), divide_up(rows, kRows)};
  launch(queue, "nf4_dequantize", kernel, grid, kMapThreads, kDequantizeShared, w, row, rows, out);
}

template <class T>
void quantize(GpuQueue &queue, const Nf4 &w, const void *from, float *scales, Findings *findings) {
  const auto *weights = static_cast<const T *>(from);
  const bool vectors = reinterpret_cast<uintptr_t>(weights) % (kPerThread * sizeof(T)) == 0;
  launch(queue, "nf4_quantize", vectors ? &quantize_kernel<T, kPerThread> : &quantize_kernel<T, 1>,
         {divide_up(w.n * w.k, kChunk)}, kChunkThreads, kChunkThreads / kWarp * 4, w.n * w.k,
         w.block_shift, weights, writable(w.codes), scales, findings);
}

}  // namespace

cria_status nf4_quantize(cria_queue *queue, int64_t n, int64_t k, int64_t block_size,
                         int32_t double_quant, cria_dtype dtype, const void *weights,
                         cria_nf4 **matrix) {
  GpuQueue &q = queue_of(queue);
  Nf4Owner w = make_nf4("nf4_quantize", q.gpu(), n, k, block_size, double_quant ? kMapThreads : 0);
  Nf4 &v = w->view;
  std::copy(kNf4Values, kNf4Values + 16, v.code_map);
  q.upload(writable(v.maps), kNf4Values, sizeof kNf4Values);
  const float *map = v.maps + kScaleMap;
  if (double_quant) {
    const DynamicMap &dynamic = signed_dynamic_map();
    q.upload(writable(map), dynamic.values, sizeof dynamic.values);
  }
  if (v.blocks > 0) {
    const Scratch scratch(q, v.blocks * 4), found(q, sizeof(Findings));
    float *scales = scratch.as<float>();
    auto *findings = found.as<Findings>();
    q.gpu().runtime->fill(q.stream, findings, 0xFF, sizeof *findings);
    const auto kernels = {&quantize<float>, &quantize<bf16>, &quantize<f16>};
    kernels.begin()[dtype](q, v, weights, scales, findings);
    if (double_quant) {
      launch(q, "nf4_scale_mean", &mean_kernel, {1}, kChunkThreads, kReduceBytes, v.blocks, scales,
             findings);
      launch(q, "nf4_scale_groups", &group_kernel, {divide_up(v.blocks, kMapThreads)}, kMapThreads,
             kReduceBytes, v.blocks, scales, findings, writable(v.group_absmax));
    }
    const int64_t rows = v.by_columns() ? n : 1, columns = v.blocks / rows;
    launch(q, "nf4_scales", double_quant ? &turn_scales_kernel<true> : &turn_scales_kernel<false>,
           {divide_up(columns, kTile), divide_up(rows, kTile)}, kMapThreads, kTileBytes + 256 * 4,
           rows, columns, scales, findings, v.group_absmax, map, writable(v.scale_codes),
           writable(v.scales));
    Findings host;
    q.download(&host, findings, sizeof host);
    if (host.not_finite != ~uint64_t{0}) {
      fail(CRIA_NOT_FINITE,
           "nf4_quantize: the weight at index %" PRIu64 " of [%" PRId64 ", %" PRId64
           "] is not finite",
           host.not_finite, n, k);
    }
    if (double_quant) v.nested_offset = host.mean;
  }
  *matrix = w.release();
  return CRIA_OK;
}

cria_status nf4_dequantize(cria_queue *queue, const cria_nf4 *w, int64_t row, int64_t rows,
                           cria_dtype dtype, void *out) {
  if (dtype == CRIA_F32) {
    dequantize(queue_of(queue), w->view, row, rows, static_cast<float *>(out));
  } else {
    dequantize(queue_of(queue), w->view, row, rows, static_cast<bf16 *>(out));
  }
  return CRIA_OK;
}

}  // namespace cria::gpu
