// nf4_few.cu: y = x W^T + LoRA for few rows, as when decoding: bound by reading the codes of W.
//
// A block makes 16 columns of y for 16 rows of x; its warps deal the runs of 64 weights among them and add up in order. Tensor
// cores do the sums: with at most 16 rows they are idle otherwise, and the lanes have enough to do with decoding. A
// lane takes 16 weights of one row of W as one load of 8 bytes, two runs ahead, and the same 16 elements of x. Code values come by
// shuffle, lane i holding that of code i % 16: half the integer work of the tables of nf4_decode.h, for which a block
// of weights is too short here.
#include "device/device.h"
#include "host/launch.h"
#include "nf4_linear.h"
#include "split.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int kRows = 16;        // of x
constexpr int kColumnTiles = 2;  // of 8 rows of W
constexpr int kSums = kRows * kColumnTiles * 8;
static_assert(kSums == kThreads);

struct Few {
  Nf4 w;
  int64_t m;
  const float *x;
  bool vectors;  // of x
  LoraTerm lora;
  float *y;
};

// What a lane needs of a run: its codes in each tile of columns, and their scales.
struct Codes {
  Vec<uint32_t, 2> code[kColumnTiles];
  RawScale scale[kColumnTiles];
};

CRIA_GPU Codes load_codes(const Nf4 &w, int64_t row, int64_t run) {
  Codes c{};
#pragma unroll
  for (int j = 0; j < kColumnTiles; ++j) {
    if (run >= w.k / kRun || row + j * 8 >= w.n) continue;
    const uint8_t *from =
        w.codes + (row + j * 8) * w.k / 2 + run * kRunBytes + lane_index() % 4 * 8;
    c.code[j] = load_stream(reinterpret_cast<const Vec<uint32_t, 2> *>(from));
    c.scale[j] = load_run_scale(w, row + j * 8, run);
  }
  return c;
}

// A run of the rows of x as pairs of bf16 in shared memory: loaded by lanes side by side, read by the lanes that own them.
// The pitch keeps readers of two rows in different banks.
constexpr int kInputPitch = kRun / 2 + 4;
constexpr int kInputWords = kRows * kInputPitch;

CRIA_GPU void put_input(const Few &p, Shared<uint32_t> to, int64_t row0, int rows, int64_t column) {
  constexpr int kFours = kRun / 4;
  for (int i = lane_index(); i < rows * kFours; i += kWarp) {
    const int row = i / kFours, place = i % kFours;
    const int64_t k = column + place * 4;
    const Four v = load_four(p.x + (row0 + row) * p.w.k + k, p.w.k - k, p.vectors);
    to.set_vec(row * kInputPitch + place * 2,
               Vec<uint32_t, 2>{{pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3])}});
  }
}

// The 16 elements of a row that this lane owns.
struct Input {
  Vec<uint32_t, 4> pair[2];
};

CRIA_GPU Input get_input(Shared<uint32_t> from, int row, int rows) {
  Input input{};
  if (row >= rows) return input;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    input.pair[i] = from.vec<4>(row * kInputPitch + lane_index() % 4 * 8 + i * 4);
  }
  return input;
}

// The 8 weights of four bytes of codes as pairs of bf16. All lanes take part.
CRIA_GPU void decode(float values, float scale, uint32_t codes, uint32_t (&pairs)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    // A shuffle looks at the lower 5 bits, and the values repeat after 16.
    const float first = shuffle(values, int(codes >> (8 * i + 4)));
    const float second = shuffle(values, int(codes >> 8 * i));
    pairs[i] = pack_bf16(first * scale, second * scale);
  }
}

CRIA_GPU void gather(const Nf4 &w, int64_t row, int64_t column, uint32_t (&pairs)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    float v[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int64_t k = column + 2 * i + e;
      v[e] = row < w.n && k < w.k ? weight_at(w, row * w.k + k) : 0.0f;
    }
    pairs[i] = pack_bf16(v[0], v[1]);
  }
}

// Shared memory: partial sums, two runs of x for each warp, the map of scale codes.
constexpr uint32_t kInputs = kWarps * kSums * 4;
constexpr uint32_t kMap = kInputs + kWarps * 2 * kInputWords * 4;
constexpr int kShared = kMap + kMapBytes;

template <bool REGULAR>
CRIA_KERNEL(kThreads, 2)
void few_kernel(Few p) {
  const int lane = lane_index(), g = lane / 4, t = lane % 4;
  const int64_t row0 = int64_t(block_y()) * kRows, column0 = int64_t(block_x()) * kColumnTiles * 8;
  const Shared<float> map = shared<float>(kMap);
  if (REGULAR && !p.w.scales) {
    map.store(thread_index(), load(p.w.maps + kScaleMap + thread_index()));
    block_sync();
  }
  const float values = load(p.w.maps + lane % 16);
  const int rows = int(minimum(p.m - row0, int64_t{kRows}));
  const Shared<uint32_t> inputs = shared<uint32_t>(kInputs + warp_index() * 2 * kInputWords * 4);
  float sums[kColumnTiles][4] = {};
  const int runs = int(divide_up(p.w.k, kRun));
  Codes codes{}, next{};
  if constexpr (REGULAR) {
    codes = load_codes(p.w, column0 + g, warp_index());
    next = load_codes(p.w, column0 + g, warp_index() + kWarps);
  }
  int turn = 0;
  for (int run = warp_index(); run < runs; run += kWarps, turn ^= 1) {
    Codes after{};
    if constexpr (REGULAR) after = load_codes(p.w, column0 + g, run + 2 * kWarps);
    // The run before the last has been read when all lanes have written this one.
    const Shared<uint32_t> input = inputs + turn * kInputWords;
    put_input(p, input, row0, rows, int64_t(run) * kRun);
    warp_sync();
    const Input upper = get_input(input, g, rows), lower = get_input(input, g + 8, rows);
#pragma unroll
    for (int j = 0; j < kColumnTiles; ++j) {
      const float scale = REGULAR ? scale_of(p.w, codes.scale[j],
                                             [&](uint32_t code) { return map.load(int(code)); })
                                  : 0.0f;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        uint32_t pairs[4];
        if constexpr (REGULAR) {
          decode(values, scale, codes.code[j][half], pairs);
        } else {
          gather(p.w, column0 + j * 8 + g, int64_t(run) * kRun + t * 16 + half * 8, pairs);
        }
#pragma unroll
        for (int s = 0; s < 2; ++s) {
          const uint32_t a[4] = {upper.pair[half][s * 2], lower.pair[half][s * 2],
                                 upper.pair[half][s * 2 + 1], lower.pair[half][s * 2 + 1]};
          const uint32_t b[2] = {pairs[s * 2], pairs[s * 2 + 1]};
          mma_16x8x16(sums[j], a, b);
        }
      }
    }
    codes = next;
    next = after;
  }

  // Partial sums [warp][tile][row][8].
  const Shared<float> partial = shared<float>(0);
#pragma unroll
  for (int j = 0; j < kColumnTiles; ++j) {
    const int at = warp_index() * kSums + j * kRows * 8 + g * 8 + t * 2;
    partial.set_vec(at, Vec<float, 2>{{sums[j][0], sums[j][1]}});
    partial.set_vec(at + 64, Vec<float, 2>{{sums[j][2], sums[j][3]}});
  }
  block_sync();
  const int i = thread_index();
  const int64_t row = row0 + i / 8 % kRows, column = column0 + i / (8 * kRows) * 8 + i % 8;
  if (row >= p.m || column >= p.w.n) return;
  float sum = partial.load(i);
  for (int w = 1; w < kWarps; ++w) sum += partial.load(w * kSums + i);
  float narrow = 0;
  for (int64_t r = 0; r < p.lora.rank; r += 4) {
    const int64_t left = p.lora.rank - r;
    const Four u = load_four(p.lora.left + row * p.lora.rank + r, left, p.lora.vectors);
    const Four v = load_four(p.lora.right + column * p.lora.rank + r, left, p.lora.vectors);
#pragma unroll
    for (int j = 0; j < 4; ++j) narrow = fmaf(u[j], v[j], narrow);
  }
  store(p.y + row * p.w.n + column, fmaf(p.lora.scale, narrow, sum));
}

}  // namespace

void nf4_forward_few(GpuQueue &queue, const Nf4 &w, int64_t m, const float *x, const LoraTerm &lora,
                     float *y) {
  const Few arguments{w, m, x, vectors_of_4(w.k, {x}), lora, y};
  launch(queue, "nf4_few", w.regular() ? &few_kernel<true> : &few_kernel<false>,
         {divide_up(w.n, kColumnTiles * 8), divide_up(m, kRows)}, kThreads, kShared, arguments);
}

}  // namespace cria::gpu
