// gemm_bf16.cu: products of bf16 matrices on tensor cores, sums and output in float32.
//
// A warp holds its part of the tile as accumulators of mma 16x8x16. Operands whose lines run along k are read by ldmatrix as
// they lie, those whose lines run across k by its transposing form. A sum takes its steps of 16 k in order, whatever the tile.
#include <optional>

#include "each.h"
#include "tile.h"

namespace cria::gpu {
namespace {

constexpr int kChunk = 8;  // elements of a copy, 16 bytes

// The 16x16 elements of a stage at (row, k), rows being those of a or the columns of b, as four 8x8 matrices in the order of
// fragments: for a (ROWS_FIRST) the second matrix has the next rows, for b the next k.
template <class Stage, bool ALONG_K, bool ROWS_FIRST>
CRIA_GPU void load_fragment(uint32_t (&r)[4], Shared<bf16> stage, int row, int k) {
  const int odd = lane_index() / 8 % 2 * 8, upper = lane_index() / 16 * 8;
  row += ROWS_FIRST ? odd : upper;
  k += ROWS_FIRST ? upper : odd;
  const int line = lane_index() % 8;
  if constexpr (ALONG_K) {
    load_matrix(r, stage + Stage::at(row + line, k));
  } else {
    load_matrix_transposed(r, stage + Stage::at(k + line, row));
  }
}

// A warp's part of a tile: WARP_M x WARP_N sums.
template <int WARP_M, int WARP_N, int WARPS_M, int WARPS_N, bool A_ALONG_K, bool B_ALONG_K>
struct Sums {
  static constexpr int kM = WARP_M * WARPS_M, kN = WARP_N * WARPS_N, kDepth = 64, kStages = 2;
  static constexpr int kThreads = kWarp * WARPS_M * WARPS_N;
  static constexpr int kTilesM = WARP_M / 16, kTilesN = WARP_N / 8;
  using StageA = Stage<bf16, A_ALONG_K, kM, kDepth>;
  using StageB = Stage<bf16, B_ALONG_K, kN, kDepth>;

  const int warp_m = warp_index() / WARPS_N * WARP_M, warp_n = warp_index() % WARPS_N * WARP_N;
  float sum[kTilesM][kTilesN][4] = {};

  CRIA_GPU void add(Shared<bf16> stage_a, Shared<bf16> stage_b, int depth) {
#pragma unroll
    for (int k = 0; k < kDepth; k += 16) {
      if (k < depth) {
        uint32_t a[kTilesM][4], b[kTilesN / 2][4];
#pragma unroll
        for (int i = 0; i < kTilesM; ++i) {
          load_fragment<StageA, A_ALONG_K, true>(a[i], stage_a, warp_m + i * 16, k);
        }
#pragma unroll
        for (int j = 0; j < kTilesN / 2; ++j) {
          load_fragment<StageB, B_ALONG_K, false>(b[j], stage_b, warp_n + j * 16, k);
        }
#pragma unroll
        for (int i = 0; i < kTilesM; ++i) {
#pragma unroll
          for (int j = 0; j < kTilesN; ++j) {
            const uint32_t columns[2] = {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]};
            mma_16x8x16(sum[i][j], a[i], columns);
          }
        }
      }
    }
  }

  CRIA_GPU void store(const Product<bf16> &p, int batch, int64_t row0, int64_t column0) const {
#pragma unroll
    for (int i = 0; i < 2 * kTilesM; ++i) {
      const int64_t row = row0 + warp_m + i * 8 + lane_index() / 4;
      if (row < p.m) {
#pragma unroll
        for (int j = 0; j < kTilesN; ++j) {
          const int64_t column = column0 + warp_n + j * 8 + lane_index() % 4 * 2;
          const float pair[2] = {sum[i / 2][j][i % 2 * 2], sum[i / 2][j][i % 2 * 2 + 1]};
          store_sums(p, batch, row, column, pair);
        }
      }
    }
  }
};

template <bool A_ALONG_K, bool B_ALONG_K>
using Large = Sums<64, 64, 2, 2, A_ALONG_K, B_ALONG_K>;  // 128 x 128
template <bool A_ALONG_K, bool B_ALONG_K>
using Small = Sums<16, 32, 2, 2, A_ALONG_K, B_ALONG_K>;  // 32 x 64

template <class Sums>
CRIA_KERNEL(Sums::kThreads, 2)
void gemm_bf16_kernel(Product<bf16> p) {
  multiply_tile<Sums, kChunk>(p);
}

template <template <bool, bool> class Sums>
void launch_gemm(GpuQueue &queue, const Product<bf16> &p) {
  const auto with = [&](auto a, auto b) {
    launch_tiles<Sums<a, b>>(queue, "gemm_bf16", &gemm_bf16_kernel<Sums<a, b>>, p);
  };
  using Along = std::true_type;
  using Across = std::false_type;
  if (p.a.along_k && p.b.along_k) {
    with(Along{}, Along{});
  } else if (p.a.along_k) {
    with(Along{}, Across{});
  } else {
    with(Across{}, Across{});
  }
}

// Copies lines to a pitch of whole chunks, zeros behind them.
struct AlignLines {
  int64_t length;
  const bf16 *from;
  int64_t from_pitch;
  bf16 *to;
  int64_t to_pitch;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const int64_t line = i / to_pitch, element = i - line * to_pitch;
    store(to + i, element < length ? load(from + line * from_pitch + element) : bf16{0});
  }
};

// An operand whose lines begin at multiples of 16 bytes: itself or a copy.
class AlignedOperand {
 public:
  AlignedOperand(GpuQueue &queue, const Operand<bf16> &from, int64_t rows, int64_t k)
      : operand_(from) {
    if (reinterpret_cast<uintptr_t>(from.data) % 16 == 0 && from.pitch % kChunk == 0) return;
    const int64_t lines = from.along_k ? rows : k, length = from.along_k ? k : rows;
    operand_.pitch = round_up(length, kChunk);
    copy_.emplace(queue, lines * operand_.pitch * int64_t(sizeof(bf16)));
    operand_.data = copy_->as<bf16>();
    each(queue, "align_lines", lines * operand_.pitch, false,
         AlignLines{length, from.data, from.pitch, copy_->as<bf16>(), operand_.pitch});
  }
  const Operand<bf16> &operator*() const { return operand_; }

 private:
  Operand<bf16> operand_;
  std::optional<Scratch> copy_;
};

}  // namespace

void multiply(GpuQueue &queue, const Product<bf16> &product) {
  if (queue.gpu().runtime->multiply(queue.stream, product)) return;
  const AlignedOperand a(queue, product.a, product.m, product.k);
  const AlignedOperand b(queue, product.b, product.n, product.k);
  Product<bf16> p = product;
  p.a = *a;
  p.b = *b;
  if (p.m <= Small<true, true>::kM || tiles_of<Large<true, true>>(p) < queue.gpu().threads()) {
    launch_gemm<Small>(queue, p);
  } else {
    launch_gemm<Large>(queue, p);
  }
}

}  // namespace cria::gpu
