// rope.cu: rotary position embedding (Su et al. 2021): pairs (i, i + D/2) of each head turn by position * inv_freq[i].
//
// Bound by memory. A block stages the heads of one token in shared memory, so that rows of any head width are read and
// written in whole sectors; a warp turns one head at a time there. Each angle is computed once a block.
#include "device/device.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kRow = 4096;  // the most elements that a block stages: 32 KiB with sines and cosines

template <int N>
CRIA_KERNEL(kThreads, 4)
void rope_kernel(int64_t heads, int d, int block_heads, const int32_t *positions,
                 const float *inv_freq, float sign, const float *x, float *y) {
  const int64_t token = block_x(), head = int64_t(block_y()) * block_heads;
  const int count = int(minimum(heads - head, int64_t(block_heads)));
  const int64_t start = (token * heads + head) * d;
  const int half = d / 2, elements = count * d;
  const auto cosine = shared<float>(0), sine = cosine + half;
  const auto row = shared<float>(uint32_t(round_up(d, 4)) * 4);

  const float position = float(load(positions + token));
  for (int i = thread_index(); i < half; i += kThreads) {
    const float angle = position * load(inv_freq + i);
    cosine.store(i, cosf(angle));
    sine.store(i, sign * sinf(angle));
  }
  for (int i = thread_index() * N; i < elements; i += kThreads * N) {
    row.set_vec(i, load_vec<N>(x + start + i));
  }
  block_sync();
  for (int h = warp_index(); h < count; h += kThreads / kWarp) {
    const auto low = row + h * d, high = low + half;
    for (int i = lane_index(); i < half; i += kWarp) {
      const float a = low.load(i), b = high.load(i), c = cosine.load(i), s = sine.load(i);
      low.store(i, fmaf(a, c, -(b * s)));
      high.store(i, fmaf(b, c, a * s));
    }
  }
  block_sync();
  for (int i = thread_index() * N; i < elements; i += kThreads * N) {
    store_vec(y + start + i, row.vec<N>(i));
  }
}

}  // namespace

cria_status rope(cria_queue *queue, int64_t t, int64_t heads, int64_t d, const int32_t *positions,
                 const float *inv_freq, int32_t inverse, const float *x, float *y) {
  if (heads == 0 || d == 0) return CRIA_OK;
  if (d > kRow) {
    fail(CRIA_UNSUPPORTED, "rope: this device turns heads of at most %d elements: d is %lld", kRow,
         static_cast<long long>(d));
  }
  const int64_t block_heads = minimum(heads, kRow / d);
  const int shared_bytes = int((round_up(d, 4) + block_heads * d) * 4);
  launch(queue_of(queue), "rope", vectors_of_4(d, {x, y}) ? &rope_kernel<4> : &rope_kernel<1>,
         {t, divide_up(heads, block_heads)}, kThreads, shared_bytes, heads, d, block_heads,
         positions, inv_freq, inverse ? -1.0f : 1.0f, x, y);
  return CRIA_OK;
}

}  // namespace cria::gpu
