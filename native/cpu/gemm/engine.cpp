// engine.cpp: the loops of the matrix product around packing and tiles.
#include <algorithm>
#include <optional>
#include <vector>

#include "cpu/gemm/few_rows.h"
#include "cpu/gemm/gemm.h"
#include "cpu/gemm/gemv.h"
#include "cpu/gemm/pack.h"
#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int64_t kMostRows = 1056;   // rows of A packed at a time
constexpr int64_t kTaskRows = 96;     // least rows of a task that packs B
constexpr int64_t kFewestRows = 48;   // and of one that does not
constexpr int64_t kGroupRows = 192;   // most of one that does not
constexpr int64_t kPassingRows = 60;  // rows that pass all panels at a time; a multiple of every mr
constexpr int64_t kWantedTasks = 32;  // enough to divide evenly among the threads of a desktop
constexpr int64_t kPackedTiles = 8;   // panels of A that a task packs
constexpr int64_t kTransposedSteps = 32;  // of a transposed A, read at a time
constexpr int64_t kLargestTile = 6 * 64;
constexpr int64_t kWord = 4;  // bytes of a float and of a pair of bf16
constexpr int64_t kRoundBytes =
    4 << 20;  // shared panels that stay in a cache while all tasks read them

// A term with the choices that its shape and the tier lead to.
struct Plan {
  const Term *term;
  bool as_bf16;
  int64_t depth;  // steps of k per pass
};

// Steps [k, k+depth) of a term, and the panels for them: of A, of the rows from `first` of a block on, or A itself; of all
// strips of B where tasks share them.
struct Pass {
  const Plan *plan;
  int64_t k, depth;
  float *rows = nullptr;
  int64_t first = 0;
  StridedA in_place = {};  // row 0 of the block and those after it, instead of panels
  float *strips = nullptr;

  // Words of a row or column of a panel: floats or pairs.
  int64_t steps() const { return plan->as_bf16 ? (depth + 1) / 2 : depth; }
};

bool multiplies_bf16(const GemmKernels &kernels, const Term &term) {
  return kernels.kc_bf16 > 0 && term.b.kind != MatrixB::f32 && !term.a.transposed &&
         !term.a.dropout.active();
}

// Passes of equal depth, whole NF4 blocks each.
int64_t pass_depth(int64_t k, int64_t most) {
  return round_up(divide_up(k, divide_up(k, most)), 64);
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
      plans_.push_back({&terms[i], as_bf16, pass_depth(terms[i].k, most)});
    }
  }

  // Sums of nothing are zero.
  bool empty() const { return plans_.empty(); }
  void clear(int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) std::fill_n(c_ + i * ldc_, n_, 0.0f);
  }

  // Whether it is better to pack B once than A: B has few strips, which each block of rows would pack again.
  bool narrow(int64_t rows) const {
    return strips() == 1 || (strips() < kWantedTasks && rows > kMostRows);
  }

  // Rows [row, row+rows) of C by strips of columns: A is packed once, each strip of B by its task, or once too where several
  // tasks share a strip.
  void run_block(int64_t row, int64_t rows, bool accumulate) {
    const int64_t parts =
        std::clamp<int64_t>(divide_up(kWantedTasks, strips()), 1, divide_up(rows, kTaskRows));
    const int64_t lines = rows + (parts > 1 ? strips() * kStrip : 0);
    for_rounds(lines, accumulate, [&](std::vector<Pass> &passes, bool add) {
      run_round(passes, row, rows, parts, add);
    });
  }

  // All rows of C by groups of rows: B is packed once, each group of rows of A by its task.
  void run_narrow(int64_t rows, bool accumulate) {
    for_rounds(strips() * kStrip, accumulate,
               [&](std::vector<Pass> &passes, bool add) { run_narrow_round(passes, rows, add); });
  }

 private:
  int64_t strips() const { return divide_up(n_, kStrip); }

  // Calls run(passes, add) for rounds of passes whose shared panels, of so many rows or columns, stay in a cache.
  template <class Run>
  void for_rounds(int64_t lines, bool accumulate, Run run) {
    std::vector<Pass> round;
    int64_t bytes = 0;
    for (const Plan &plan : plans_) {
      for (int64_t k = 0; k < plan.term->k; k += plan.depth) {
        const Pass pass{&plan, k, std::min(plan.depth, plan.term->k - k)};
        const int64_t size = lines * pass.steps() * kWord;
        if (!round.empty() && bytes + size > kRoundBytes) {
          run(round, accumulate);
          accumulate = true;
          round.clear();
          bytes = 0;
        }
        round.push_back(pass);
        bytes += size;
      }
    }
    run(round, accumulate);
  }

  void run_round(std::vector<Pass> &passes, int64_t row, int64_t rows, int64_t parts, bool add) {
    const int64_t padded = round_up(rows, kernels_.mr);
    ScratchBlock panels(device_, padded * steps_of(passes) * kWord);
    pack_block(passes, row, rows, padded, panels.as<float>());
    std::optional<ScratchBlock> shared;
    if (parts > 1) {
      shared.emplace(device_, strips() * kStrip * steps_of(passes) * kWord);
      pack_strips(passes, shared->as<float>());
    }
    const int64_t part_rows = round_up(divide_up(rows, parts), kernels_.mr);
    device_.parallel(strips() * parts, [&](int64_t task) {
      const int64_t first = task % parts * part_rows;
      const int64_t last = std::min(rows, first + part_rows);
      if (first < last) run_strip(passes, row, first, last, task / parts * kStrip, add);
    });
  }

  void run_narrow_round(std::vector<Pass> &passes, int64_t rows, bool add) {
    ScratchBlock panels(device_, strips() * kStrip * steps_of(passes) * kWord);
    pack_strips(passes, panels.as<float>());
    const int64_t wanted = round_up(divide_up(rows, kWantedTasks), kernels_.mr);
    const int64_t group = std::clamp(wanted, kFewestRows, kGroupRows);
    device_.parallel_range(
        rows, group, [&](int64_t first, int64_t last) { run_rows(passes, first, last, add); });
  }

  // Panels of all strips for each pass, one after the other.
  void pack_strips(std::vector<Pass> &passes, float *to) {
    for (Pass &pass : passes) {
      pass.strips = to;
      to += strips() * kStrip * pass.steps();
    }
    device_.parallel(static_cast<int64_t>(passes.size()) * strips(), [&](int64_t task) {
      const Pass &pass = passes[static_cast<size_t>(task / strips())];
      const int64_t column = task % strips() * kStrip;
      pack_strip(pass, column, pass.strips + column * pass.steps());
    });
  }

  // Rows [first, last) of a narrow product, all strips.
  void run_rows(const std::vector<Pass> &passes, int64_t first, int64_t last, bool add) {
    ScratchBlock panels(device_,
                        round_up(last - first, kernels_.mr) * most_steps_of(passes) * kWord);
    for (Pass pass : passes) {
      pass.rows = panels.as<float>();
      pass.first = first;
      const MatrixA &a = pass.plan->term->a;
      // The panels of a row are not worth their making for a single strip.
      if (strips() == 1 && !pass.plan->as_bf16 && !a.transposed && !a.dropout.active()) {
        pass.in_place = {a.data + pass.k, a.ld, 1};
      } else {
        pack_rows(pass, 0, first, last);
      }
      SourceLines nothing = lines_of(pass, n_);
      for (int64_t column = 0; column < n_; column += kStrip) {
        run_tiles(pass, 0, first, last, column, width_of(column),
                  pass.strips + column * pass.steps(), add, nothing);
      }
      add = true;
    }
  }

  // Columns of the strip that begins at one.
  int64_t width_of(int64_t column) const { return std::min(kStrip, n_ - column); }

  void pack_strip(const Pass &pass, int64_t column, float *panels) {
    pack_b(kernels_, pass.plan->term->b, pass.plan->as_bf16, pass.k, pass.depth, column,
           width_of(column), panels);
  }

  static int64_t steps_of(const std::vector<Pass> &passes) {
    int64_t steps = 0;
    for (const Pass &pass : passes) steps += pass.steps();
    return steps;
  }
  static int64_t most_steps_of(const std::vector<Pass> &passes) {
    int64_t steps = 0;
    for (const Pass &pass : passes) steps = std::max(steps, pass.steps());
    return steps;
  }

  // Panels of all rows for each pass, one after the other.
  void pack_block(std::vector<Pass> &passes, int64_t row, int64_t rows, int64_t padded, float *to) {
    for (Pass &pass : passes) {
      pass.rows = to;
      to += padded * pass.steps();
    }
    device_.parallel_range(rows, kPackedTiles * kernels_.mr, [&](int64_t begin, int64_t end) {
      for (const Pass &pass : passes) pack_rows(pass, row, begin, end);
    });
  }

  // Rows [first, last) of the block that starts at `row`, into the panels of a pass. A transposed A is read a few of its long
  // rows at a time.
  void pack_rows(const Pass &pass, int64_t row, int64_t first, int64_t last) {
    const Plan &plan = *pass.plan;
    const int64_t most = plan.term->a.transposed ? kTransposedSteps : pass.depth;
    for (int64_t k = 0; k < pass.depth; k += most) {
      for (int64_t i = first; i < last; i += kernels_.mr) {
        float *panel = pass.rows + (i - pass.first) * pass.steps();
        pack_a(kernels_, plan.term->a, plan.as_bf16, row + i,
               std::min<int64_t>(kernels_.mr, last - i), pass.k + k, std::min(most, pass.depth - k),
               panel + k * kernels_.mr);
      }
    }
  }

  // Rows [first, last) of the block that starts at `row`, for one strip of columns.
  void run_strip(const std::vector<Pass> &passes, int64_t row, int64_t first, int64_t last,
                 int64_t column, bool add) {
    const bool packed = passes[0].strips;
    ScratchBlock panels(device_, packed ? 0 : kStrip * most_steps_of(passes) * kWord);
    for (size_t i = 0; i < passes.size(); ++i) {
      const Pass &pass = passes[i];
      const float *strip = packed ? pass.strips + column * pass.steps() : panels.as<float>();
      SourceLines next = lines_of(pass, n_);
      if (!packed) {
        pack_strip(pass, column, panels.as<float>());
        next = i + 1 < passes.size() ? lines_of(passes[i + 1], column)
                                     : lines_of(passes[0], column + kStrip * device_.threads());
      }
      run_tiles(pass, row, first, last, column, width_of(column), strip, add, next);
      add = true;
    }
  }

  // What a pass will read of B; none where the column lies behind the last.
  SourceLines lines_of(const Pass &pass, int64_t column) const {
    return SourceLines(pass.plan->term->b, pass.k, pass.depth, column,
                       std::clamp<int64_t>(n_ - column, 0, kStrip));
  }

  // The panels of a strip stay in the second-level cache while the rows stream past them, a few rows past all panels at a
  // time: that many stay in a cache too. Meanwhile the next part of B comes from memory.
  void run_tiles(const Pass &pass, int64_t row, int64_t first, int64_t last, int64_t column,
                 int64_t n, const float *panels, bool add, SourceLines &next) {
    const int64_t steps = pass.steps();
    const int64_t tiles = divide_up(last - first, kernels_.mr) * divide_up(n, kernels_.nr);
    const int64_t lines = divide_up(next.count(), tiles);
    for (int64_t i = first; i < last; i += kPassingRows) {
      const int64_t end = std::min(last, i + kPassingRows);
      for (int64_t at = 0; at < n; at += kernels_.nr) {
        const int width = static_cast<int>(std::min<int64_t>(kernels_.nr, n - at));
        const float *panel = panels + at * steps;
        for (int64_t r = i; r < end; r += kernels_.mr) {
          next.prefetch(lines);
          const int height = static_cast<int>(std::min<int64_t>(kernels_.mr, end - r));
          run_tile(pass, row, r, panel, height, column + at, width, add);
        }
      }
    }
  }

  // Row i of the block that starts at `row`.
  void run_tile(const Pass &pass, int64_t row, int64_t i, const float *panel, int height,
                int64_t column, int width, bool add) {
    float *c = c_ + (row + i) * ldc_ + column;
    if (pass.plan->term->dropout.active()) {
      run_dropped_tile(pass, i, panel, height, width, add, c, (row + i) * n_ + column);
    } else {
      multiply_tile(pass, i, panel, height, width, add, c, ldc_);
    }
  }

  void multiply_tile(const Pass &pass, int64_t i, const float *panel, int height, int width,
                     bool add, float *c, int64_t ldc) {
    const int64_t steps = pass.steps();
    const float alpha = pass.plan->term->alpha;
    if (StridedA a = pass.in_place; a.data) {
      a.data += i * a.row;
      kernels_.tile_in_place(steps, a, panel, height, width, alpha, add, c, ldc);
      return;
    }
    const auto tile = pass.plan->as_bf16 ? kernels_.tile_bf16 : kernels_.tile_f32;
    tile(steps, pass.rows + (i - pass.first) * steps, panel, height, width, alpha, add, c, ldc);
  }

  // The mask applies to this term alone, so its tile is made apart and then added.
  void run_dropped_tile(const Pass &pass, int64_t i, const float *panel, int height, int width,
                        bool add, float *c, int64_t element) {
    alignas(64) float tile[kLargestTile];
    multiply_tile(pass, i, panel, height, width, false, tile, kernels_.nr);
    const Dropout &drop = pass.plan->term->dropout;
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
  if (product.narrow(m)) {
    product.run_narrow(m, accumulate);
    return;
  }
  const int64_t rows = divide_up(m, divide_up(m, kMostRows));
  for (int64_t row = 0; row < m; row += rows) {
    product.run_block(row, std::min(rows, m - row), accumulate);
  }
}

void multiply(CpuDevice &device, int64_t m, int64_t n, const Term *terms, int count,
              bool accumulate, float *c, int64_t ldc) {
  const GemmKernels &kernels = gemm_kernels(device.tier);
  for (; count > 0 && gemv_serves(m, *terms); ++terms, --count) {
    gemv(device, kernels, m, n, *terms, multiplies_bf16(kernels, *terms), accumulate, c, ldc);
    accumulate = true;
  }
  if (count == 1 && few_rows_serve(m, n, *terms)) {
    few_rows(device, kernels, m, n, *terms, accumulate, c, ldc);
    return;
  }
  gemm(device, m, n, terms, count, accumulate, c, ldc);
}

}  // namespace cria::cpu
