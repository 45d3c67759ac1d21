// pack.cpp: packed panels of A and strips of B.
#include "cpu/gemm/pack.h"

#include <algorithm>
#include <cstring>

#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int64_t kRowChunk = 256;  // steps of k that are staged and transposed together
constexpr int64_t kRowGroup = 16;   // rows of a transposition
constexpr int64_t kLine = 64;       // bytes of a line of the cache

// Weights are rows [N,K]; their k steps become rows of the panel by transposition. Pairs of bf16 move as one word.
void pack_columns(const GemmKernels &kernels, const RowReader &reader, bool as_bf16, bool widens,
                  int64_t k0, int64_t k, int64_t n0, int64_t n, uint32_t *panel) {
  const int64_t per_word = as_bf16 ? 2 : 1;
  alignas(64) uint32_t stage[kRowGroup * kRowChunk];
  for (int64_t row = 0; row < n; row += kRowGroup) {
    const int64_t rows = std::min(kRowGroup, n - row);
    for (int64_t at = 0; at < k; at += kRowChunk) {
      const int64_t length = std::min(kRowChunk, k - at);
      int64_t ld = kRowChunk;
      const void *source = reader.read_rows(n0 + row, rows, k0 + at, length, stage, &ld);
      if (widens) {
        kernels.transpose_widened(rows, length, static_cast<const uint16_t *>(source), ld,
                                  reinterpret_cast<float *>(panel) + at * kernels.nr + row,
                                  kernels.nr);
        continue;
      }
      if (as_bf16 && (length % 2 || ld % 2 || reinterpret_cast<uintptr_t>(source) % 4)) {
        // Words must be whole and aligned.
        auto *halves = reinterpret_cast<uint16_t *>(stage);
        for (int64_t i = 0; i < rows; ++i) {
          std::memmove(halves + i * kRowChunk, static_cast<const uint16_t *>(source) + i * ld,
                       length * 2);
          if (length % 2) halves[i * kRowChunk + length] = 0;
        }
        source = stage;
        ld = kRowChunk;
      }
      kernels.transpose(rows, divide_up(length, per_word), source, ld / per_word,
                        panel + at / per_word * kernels.nr + row, kernels.nr);
    }
  }
}

}  // namespace

Dropout::Dropout(float p, uint64_t mask_key)
    : key(mask_key),
      threshold(static_cast<uint32_t>(static_cast<double>(p) * 4294967296.0)),
      scale(1 / (1 - p)) {}

void drop(const GemmKernels &kernels, const Dropout &dropout, int64_t n, int64_t first,
          const float *from, float *to) {
  kernels.dropout(n, dropout.key, static_cast<uint64_t>(first), dropout.threshold, dropout.scale,
                  from, to);
}

void convert_rows(const GemmKernels &kernels, const MatrixA &a, bool as_bf16, int64_t row,
                  int64_t rows, int64_t first, int64_t n, void *to, int64_t ld) {
  for (int64_t i = 0; i < rows; ++i) {
    const float *source = a.data + (row + i) * a.ld + first;
    if (as_bf16) {
      uint16_t *target = static_cast<uint16_t *>(to) + i * ld;
      kernels.to_bf16(n, source, target);
      if (n % 2) target[n] = 0;
    } else {
      drop(kernels, a.dropout, n, (row + i) * a.ld + first, source,
           static_cast<float *>(to) + i * ld);
    }
  }
}

void pack_a(const GemmKernels &kernels, const MatrixA &a, bool as_bf16, int64_t row, int64_t rows,
            int64_t first, int64_t n, void *panel) {
  const int height = static_cast<int>(rows);
  if (a.transposed) {
    kernels.columns_to_panel(n, height, a.data + first * a.ld + row, a.ld, panel);
    return;
  }
  if (!as_bf16 && !a.dropout.active()) {
    kernels.rows_to_panel(n, height, a.data + row * a.ld + first, a.ld, panel);
    return;
  }
  constexpr int64_t kSteps = 512, kMostRows = 8;
  alignas(64) uint32_t stage[kMostRows * kSteps];
  const int64_t per_word = as_bf16 ? 2 : 1, most = kSteps * per_word;
  for (int64_t at = 0; at < n; at += most) {
    const int64_t length = std::min(most, n - at);
    convert_rows(kernels, a, as_bf16, row, rows, first + at, length, stage, most);
    kernels.rows_to_panel(divide_up(length, per_word), height, stage, kSteps,
                          static_cast<uint32_t *>(panel) + at / per_word * kernels.mr);
  }
}

SourceLines::SourceLines(const MatrixB &b, int64_t k0, int64_t k, int64_t n0, int64_t n) {
  const int64_t first_row = b.by_columns ? n0 : k0, first = b.by_columns ? k0 : n0;
  const char *data = static_cast<const char *>(b.data);
  int64_t bits = b.kind == MatrixB::f32 ? 32 : 16, ld = b.ld;
  if (b.kind == MatrixB::nf4) {
    const auto &w = *static_cast<const cria_nf4 *>(b.data);
    data = reinterpret_cast<const char *>(w.codes);
    bits = 4;
    ld = w.k;
  }
  ld_ = ld * bits / 8;
  row_ = data + first_row * ld_ + first * bits / 8;
  rows_ = b.by_columns ? n : k;
  const int64_t offset = static_cast<int64_t>(reinterpret_cast<uintptr_t>(row_) % kLine);
  row_ -= offset;
  lines_ = n == 0 ? 0 : (offset + (b.by_columns ? k : n) * bits / 8 + kLine - 1) / kLine;
}

void SourceLines::prefetch(int64_t count) {
  for (; count > 0 && rows_ > 0 && lines_ > 0; --count) {
    __builtin_prefetch(row_ + line_ * kLine, 0, 2);
    if (++line_ < lines_) continue;
    line_ = 0;
    row_ += ld_;
    --rows_;
  }
}

void pack_b(const GemmKernels &kernels, const MatrixB &b, bool as_bf16, int64_t k0, int64_t k,
            int64_t n0, int64_t n, void *panels) {
  // Weights that become float32 are read as bf16, which they are, and widened on their way into the panels.
  const bool widens = !as_bf16 && b.kind != MatrixB::f32;
  const RowReader reader(kernels, b, as_bf16 || widens);
  const int64_t nr = kernels.nr;
  const int64_t steps = as_bf16 ? (k + 1) / 2 : k;  // words per column
  auto *words = static_cast<uint32_t *>(panels);
  // Tiles read whole vectors, at most 16 columns.
  if (n % 16 != 0) std::memset(words + n / nr * nr * steps, 0, nr * steps * sizeof *words);
  if (b.by_columns) {
    for (int64_t column = 0; column < n; column += nr) {
      pack_columns(kernels, reader, as_bf16, widens, k0, k, n0 + column, std::min(nr, n - column),
                   words + column * steps);
    }
    return;
  }
  constexpr int64_t kRows = 32;
  alignas(64) uint32_t stage[kRows * kStrip];
  for (int64_t row = 0; row < k; row += kRows) {
    const int64_t rows = std::min(kRows, k - row);
    int64_t ld = kStrip;
    const void *source = reader.read_rows(k0 + row, rows, n0, n, stage, &ld);
    for (int64_t column = 0; column < n; column += nr) {
      const int64_t width = std::min(nr, n - column);
      uint32_t *panel = words + column * steps;
      if (as_bf16) {
        kernels.interleave(rows, width, static_cast<const uint16_t *>(source) + column, ld,
                           panel + row / 2 * nr, nr);
        continue;
      }
      auto *to = reinterpret_cast<float *>(panel + row * nr);
      if (widens) {
        kernels.widen(rows, width, static_cast<const uint16_t *>(source) + column, ld, to, nr);
        continue;
      }
      auto *from = static_cast<const float *>(source) + column;
      if (!b.dropout.active()) {
        kernels.copy(rows, width, from, ld, to, nr);
        continue;
      }
      for (int64_t i = 0; i < rows; ++i) {
        drop(kernels, b.dropout, width, (k0 + row + i) * b.ld + n0 + column, from + i * ld,
             to + i * nr);
      }
    }
  }
}

}  // namespace cria::cpu
