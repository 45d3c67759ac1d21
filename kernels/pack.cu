// pack.cu: float32 matrices rounded to bf16 operands. Bound by memory; a block of threads per row.
#include "pack.h"

#include "device/device.h"
#include "host/launch.h"
#include "split.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256;

template <bool NF4>
CRIA_KERNEL(kThreads, 6)
void pack_kernel(int64_t columns, const float *x, bool vectors, bf16 *out) {
  const int64_t row = block_x(), pitch = packed_pitch(columns);
  const float *from = x + row * columns;
  auto *to = reinterpret_cast<uint32_t *>(out + row * pitch);
  for (int64_t begin = 0; begin < pitch; begin += kThreads * 4) {
    const int64_t column = begin + thread_index() * 4;
    const Four v = load_four(from + column, columns - column, vectors);
    Vec<uint32_t, 2> pairs{{pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3])}};
    int64_t place = column / 2;
    if constexpr (NF4) {
      // Lane t of 4 holds the pairs of h = 0 and 1. Neighbours exchange one, and each stores two pairs of one h.
      const int t = int(column / 16 % 4), s = int(column / 4 % 4), odd = t % 2;
      const uint32_t other = shuffle_xor(pairs[1 - odd], 4);
      pairs[1 - odd] = other;
      place = column / 64 * 32 + s * 8 + odd * 4 + (t - odd);
    }
    if (column < pitch) store_vec(to + place, pairs);
  }
}

}  // namespace

void pack_rows(GpuQueue &queue, int64_t rows, int64_t columns, const float *x, bf16 *out,
               PackOrder order) {
  launch(queue, "pack_rows", order == PackOrder::nf4 ? &pack_kernel<true> : &pack_kernel<false>,
         {rows}, kThreads, 0, columns, x, vectors_of_4(columns, {x}), out);
}

}  // namespace cria::gpu
