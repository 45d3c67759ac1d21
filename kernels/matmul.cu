// matmul.cu: products of float32 matrices in float32 throughout.
//
// Each sum is one chain of fused multiply-adds in the order of k, so its bits depend on nothing but its row of a and column of
// b: not on the tile, the transposes or the neighbours.
#include "host/launch.h"
#include "host/operations.h"
#include "tile.h"

namespace cria::gpu {
namespace {

// The rows of a (or columns of b) of one thread: COUNT of the LANES * COUNT of its warp, which begin at `first`. The operand's
// stage is read in vectors along its lines.
template <class Stage, bool ALONG_K, int LANES, int COUNT>
struct Fragment {
  int first;
  CRIA_GPU Fragment(int warp, int lane)
      : first(warp * LANES * COUNT + (ALONG_K ? lane : lane * 4)) {}

  // The place of the i-th in the tile.
  CRIA_GPU int at(int i) const { return first + (ALONG_K ? i * LANES : i / 4 * LANES * 4 + i % 4); }

  // values[j][i]: the i-th at k + j.
  CRIA_GPU void load(Shared<float> stage, int k, float (&values)[4][COUNT]) const {
    if constexpr (ALONG_K) {
#pragma unroll
      for (int i = 0; i < COUNT; ++i) {
        const Vec<float, 4> line = stage.template vec<4>(Stage::at(at(i), k));
#pragma unroll
        for (int j = 0; j < 4; ++j) values[j][i] = line[j];
      }
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int i = 0; i < COUNT; i += 4) {
          const Vec<float, 4> line = stage.template vec<4>(Stage::at(k + j, at(i)));
#pragma unroll
          for (int l = 0; l < 4; ++l) values[j][i + l] = line[l];
        }
      }
    }
  }
};

// A thread's part of a tile: TM x TN sums, 4 lanes of a warp along m and 8 along n.
template <int TM, int TN, int WARPS_M, int WARPS_N, bool A_ALONG_K, bool B_ALONG_K>
struct Sums {
  static constexpr int kM = TM * 4 * WARPS_M, kN = TN * 8 * WARPS_N, kDepth = 16, kStages = 3;
  static constexpr int kThreads = kWarp * WARPS_M * WARPS_N;
  using StageA = Stage<float, A_ALONG_K, kM, kDepth>;
  using StageB = Stage<float, B_ALONG_K, kN, kDepth>;

  Fragment<StageA, A_ALONG_K, 4, TM> rows{warp_index() / WARPS_N, lane_index() / 8};
  Fragment<StageB, B_ALONG_K, 8, TN> columns{warp_index() % WARPS_N, lane_index() % 8};
  float sum[TM][TN] = {};

  CRIA_GPU void add(Shared<float> stage_a, Shared<float> stage_b, int) {
#pragma unroll
    for (int k = 0; k < kDepth; k += 4) {
      float a[4][TM], b[4][TN];
      rows.load(stage_a, k, a);
      columns.load(stage_b, k, b);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int i = 0; i < TM; ++i) {
#pragma unroll
          for (int l = 0; l < TN; ++l) sum[i][l] = fmaf(a[j][i], b[j][l], sum[i][l]);
        }
      }
    }
  }

  CRIA_GPU void store(const Product<float> &p, int batch, int64_t row0, int64_t column0) const {
    constexpr int kRun = B_ALONG_K ? 1 : 4;  // columns of a thread that follow each other
#pragma unroll
    for (int i = 0; i < TM; ++i) {
      const int64_t row = row0 + rows.at(i);
      if (row < p.m) {
#pragma unroll
        for (int l = 0; l < TN; l += kRun) {
          const int64_t column = column0 + columns.at(l);
          float run[kRun];
#pragma unroll
          for (int e = 0; e < kRun; ++e) run[e] = sum[i][l + e];
          store_sums(p, batch, row, column, run);
        }
      }
    }
  }
};

template <bool A_ALONG_K, bool B_ALONG_K>
using Large = Sums<8, 8, 4, 2, A_ALONG_K, B_ALONG_K>;  // 128 x 128
template <bool A_ALONG_K, bool B_ALONG_K>
using Small = Sums<4, 4, 2, 2, A_ALONG_K, B_ALONG_K>;  // 32 x 64

// V: elements per copy, 4 where operands are aligned to 16 bytes.
template <class Sums, int V>
CRIA_KERNEL(Sums::kThreads, 1)
void matmul_kernel(Product<float> p) {
  multiply_tile<Sums, V>(p);
}

template <template <bool, bool> class Sums, int V>
void launch_matmul(GpuQueue &queue, const Product<float> &p) {
  const auto with = [&](auto a, auto b) {
    launch_tiles<Sums<a, b>>(queue, "matmul", &matmul_kernel<Sums<a, b>, V>, p);
  };
  using Along = std::true_type;
  using Across = std::false_type;
  if (p.a.along_k) {
    p.b.along_k ? with(Along{}, Along{}) : with(Along{}, Across{});
  } else {
    p.b.along_k ? with(Across{}, Along{}) : with(Across{}, Across{});
  }
}

}  // namespace

void multiply(GpuQueue &queue, const Product<float> &p) {
  if (queue.gpu().runtime->multiply(queue.stream, p)) return;
  const int64_t steps = p.a.pitch | p.a.stride | p.b.pitch | p.b.stride;
  if (!vectors_of_4(steps, {p.a.data, p.b.data})) {
    launch_matmul<Small, 1>(queue, p);
  } else if (p.m <= Small<true, true>::kM ||
             tiles_of<Large<true, true>>(p) < queue.gpu().threads()) {
    launch_matmul<Small, 4>(queue, p);
  } else {
    launch_matmul<Large, 4>(queue, p);
  }
}

cria_status matmul(cria_queue *queue, int64_t batch, int64_t m, int64_t n, int64_t k,
                   int32_t transpose_a, int32_t transpose_b, float alpha, const float *a,
                   const float *b, int32_t accumulate, float *c) {
  Product<float> p{m,
                   n,
                   k,
                   {a, transpose_a ? m : k, !transpose_a, m * k},
                   {b, transpose_b ? k : n, transpose_b != 0, k * n},
                   c,
                   n,
                   alpha,
                   accumulate != 0};
  p.batch = batch;
  p.c_stride = m * n;
  multiply(queue_of(queue), p);
  return CRIA_OK;
}

}  // namespace cria::gpu
