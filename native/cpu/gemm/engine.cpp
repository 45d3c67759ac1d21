// engine.cpp: the loops of the matrix product around packing and tiles.
#include <algorithm>
#include <deque>
#include <vector>

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/gemv.h"
#include "cpu/gemm/pack.h"

namespace cria::cpu {
namespace {

constexpr int64_t kRowBlock = 1008;  // rows of A prepared at a time; a multiple of mr of every tier
constexpr int64_t kTaskRows = 96;    // least rows of a task when a strip is divided
constexpr int64_t kPassingRows = 60;  // rows that pass all panels at a time; a multiple of every mr
constexpr int64_t kWantedTasks = 32;  // enough to divide evenly among the threads of a desktop
constexpr int64_t kLargestTile = 6 * 64;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A term with the choices that its shape and the tier lead to.
struct Plan {
  const Term *term;
  bool as_bf16;
  int64_t depth;  // steps of k per pass
  RowsA rows;     // row 0 of the present row block
};

bool multiplies_bf16(const GemmKernels &kernels, const Term &term) {
  return kernels.kc_bf16 > 0 && term.b.kind != MatrixB::f32 && !term.a.transposed &&
         !term.a.dropout.active();
}

// Passes of equal depth, whole NF4 blocks each.
int64_t pass_depth(int64_t k, int64_t most) {
  return ceil_div(ceil_div(k, ceil_div(k, most)), 64) * 64;
}

class Product {
 public:
  Product(CpuDevice &device, int64_t n, float *c, int64_t ldc)
      : device_(device), kernels_(gemm_kernels(device.tier)), n_(n), c_(c), ldc_(ldc) {}

  void add_terms(const Term *terms, int count) {
    for (int i = 0; i < count; ++i) {
      if (terms[i].k == 0) continue;
      const bool as_bf16 = multiplies_bf16(kernels_, terms[i]);
      const int64_t most = as_bf16 ? kernels_.kc_bf16 : kernels_.kc_f32;
      plans_.push_back({&terms[i], as_bf16, pass_depth(terms[i].k, most), {}});
    }
  }

  // Sums of nothing are zero.
  bool empty() const { return plans_.empty(); }
  void clear(int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) std::fill_n(c_ + i * ldc_, n_, 0.0f);
  }

  // Rows [row, row+rows) of C.
  void run_block(int64_t row, int64_t rows, bool accumulate) {
    std::deque<ScratchBlock> copies;
    for (Plan &plan : plans_) prepare_rows(plan, row, rows, copies);
    const int64_t strips = ceil_div(n_, kStrip);
    const int64_t parts =
        std::clamp<int64_t>(ceil_div(kWantedTasks, strips), 1, ceil_div(rows, kTaskRows));
    const int64_t part_rows = ceil_div(ceil_div(rows, parts), kernels_.mr) * kernels_.mr;
    device_.parallel(strips * parts, [&](int64_t task) {
      const int64_t first = task % parts * part_rows;
      const int64_t last = std::min(rows, first + part_rows);
      if (first < last) run_strip(row, first, last, task / parts * kStrip, accumulate);
    });
  }

 private:
  void prepare_rows(Plan &plan, int64_t row, int64_t rows, std::deque<ScratchBlock> &copies) {
    const Term &term = *plan.term;
    if (!needs_pack(term.a, plan.as_bf16)) {
      plan.rows = {term.a.data + row * term.a.ld, term.a.ld};
      return;
    }
    const int64_t ld = packed_ld(term.k, plan.as_bf16), size = plan.as_bf16 ? 2 : 4;
    copies.emplace_back(device_, rows * ld * size);
    char *to = copies.back().as<char>();
    device_.parallel_range(rows, 16, [&](int64_t begin, int64_t end) {
      pack_a(kernels_, term.a, term.k, plan.as_bf16, row + begin, end - begin,
             to + begin * ld * size);
    });
    plan.rows = {to, ld};
  }

  // All terms of rows [first, last) of the block that starts at `row`, for one strip of columns.
  void run_strip(int64_t row, int64_t first, int64_t last, int64_t column, bool accumulate) {
    const int64_t n = std::min(kStrip, n_ - column);
    int64_t words = 0;
    for (const Plan &plan : plans_)
      words = std::max(words, plan.as_bf16 ? plan.depth / 2 : plan.depth);
    ScratchBlock panels(device_, words * kStrip * 4);
    bool add = accumulate;
    for (const Plan &plan : plans_) {
      for (int64_t k = 0; k < plan.term->k; k += plan.depth) {
        const int64_t depth = std::min(plan.depth, plan.term->k - k);
        pack_b(kernels_, plan.term->b, plan.as_bf16, k, depth, column, n, panels.as<void>());
        run_tiles(plan, k, depth, row, first, last, column, n, panels.as<float>(), add);
        add = true;
      }
    }
  }

  // The panels of a strip stay in the second-level cache while the rows stream past them, a few rows past all panels at a
  // time: that many stay in a cache too.
  void run_tiles(const Plan &plan, int64_t k, int64_t depth, int64_t row, int64_t first,
                 int64_t last, int64_t column, int64_t n, const float *panels, bool add) {
    const int64_t steps = plan.as_bf16 ? (depth + 1) / 2 : depth;
    for (int64_t i = first; i < last; i += kPassingRows) {
      const int64_t end = std::min(last, i + kPassingRows);
      for (int64_t at = 0; at < n; at += kernels_.nr) {
        const int width = static_cast<int>(std::min<int64_t>(kernels_.nr, n - at));
        run_panel(plan, k, steps, row, i, end, column + at, width, panels + at * steps, add);
      }
    }
  }

  // Rows [first, last) of the block past one panel, whose first column is `column`.
  void run_panel(const Plan &plan, int64_t k, int64_t steps, int64_t row, int64_t first,
                 int64_t last, int64_t column, int width, const float *panel, bool add) {
    for (int64_t i = first; i < last; i += kernels_.mr) {
      const int height = static_cast<int>(std::min<int64_t>(kernels_.mr, last - i));
      float *c = c_ + (row + i) * ldc_ + column;
      if (plan.term->dropout.active()) {
        run_dropped_tile(plan, i, k, steps, panel, height, width, add, c, (row + i) * n_ + column);
      } else {
        run_tile(plan, i, k, steps, panel, height, width, add, c, ldc_);
      }
    }
  }

  void run_tile(const Plan &plan, int64_t i, int64_t k, int64_t steps, const float *panel,
                int height, int width, bool add, float *c, int64_t ldc) {
    const float alpha = plan.term->alpha;
    const int64_t at = i * plan.rows.ld + k;
    if (plan.as_bf16) {
      kernels_.tile_bf16(steps, static_cast<const uint16_t *>(plan.rows.data) + at, plan.rows.ld,
                         reinterpret_cast<const uint16_t *>(panel), height, width, alpha, add, c,
                         ldc);
    } else {
      kernels_.tile_f32(steps, static_cast<const float *>(plan.rows.data) + at, plan.rows.ld, panel,
                        height, width, alpha, add, c, ldc);
    }
  }

  // The mask applies to this term alone, so its tile is made apart and then added.
  void run_dropped_tile(const Plan &plan, int64_t i, int64_t k, int64_t steps, const float *panel,
                        int height, int width, bool add, float *c, int64_t element) {
    alignas(64) float tile[kLargestTile];
    run_tile(plan, i, k, steps, panel, height, width, false, tile, kernels_.nr);
    const Dropout &drop = plan.term->dropout;
    for (int r = 0; r < height; ++r) {
      float *from = tile + r * kernels_.nr, *to = c + r * ldc_;
      kernels_.dropout(width, drop.key, static_cast<uint64_t>(element + r * n_), drop.threshold,
                       drop.scale, from, from);
      for (int j = 0; j < width; ++j) to[j] = add ? to[j] + from[j] : from[j];
    }
  }

  CpuDevice &device_;
  const GemmKernels &kernels_;
  int64_t n_;
  float *c_;
  int64_t ldc_;
  std::vector<Plan> plans_;
};

}  // namespace

void gemm(CpuDevice &device, int64_t m, int64_t n, const Term *terms, int count, bool accumulate,
          float *c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  Product product(device, n, c, ldc);
  product.add_terms(terms, count);
  if (product.empty()) {
    if (!accumulate) product.clear(m);
    return;
  }
  for (int64_t row = 0; row < m; row += kRowBlock) {
    product.run_block(row, std::min(kRowBlock, m - row), accumulate);
  }
}

void multiply(CpuDevice &device, int64_t m, int64_t n, const Term *terms, int count,
              bool accumulate, float *c, int64_t ldc) {
  const GemmKernels &kernels = gemm_kernels(device.tier);
  for (; count > 0 && gemv_serves(m, *terms); ++terms, --count) {
    gemv(device, kernels, m, n, *terms, multiplies_bf16(kernels, *terms), accumulate, c, ldc);
    accumulate = true;
  }
  gemm(device, m, n, terms, count, accumulate, c, ldc);
}

}  // namespace cria::cpu
