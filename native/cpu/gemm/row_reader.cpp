// row_reader.cpp: rows of a stored weight as float32 or bf16; NF4 weights are decoded here, piece by piece.
#include <algorithm>
#include <cstring>

#include "cpu/gemm/pack.h"
#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

// The canonical value as float bits, rounded to bf16 (nearest even).
uint32_t canonical(float code, float scale) {
  float product = code * scale;
  uint32_t bits;
  std::memcpy(&bits, &product, sizeof bits);
  return (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u;
}

int log2_of(int64_t power) {
  int shift = 0;
  while (power >> shift > 1) ++shift;
  return shift;
}

constexpr int64_t kScales = 128;      // scales decoded at a time
constexpr int64_t kShortPiece = 128;  // elements

}  // namespace

RowReader::RowReader(const GemmKernels &kernels, const MatrixB &b, bool as_bf16)
    : kernels_(kernels), b_(b), as_bf16_(as_bf16) {
  if (b.kind != MatrixB::nf4) return;
  const auto &w = *static_cast<const cria_nf4 *>(b.data);
  block_shift_ = log2_of(w.block_size);
  const int64_t nested = w.nested_block_size;
  if (nested > 0 && (nested & (nested - 1)) == 0) nested_shift_ = log2_of(nested);
}

const void *RowReader::read_rows(int64_t row, int64_t rows, int64_t first, int64_t n, void *buffer,
                                 int64_t *ld) const {
  if (b_.kind == MatrixB::nf4) {
    decode_nf4(row, rows, first, n, static_cast<char *>(buffer), *ld);
    return buffer;
  }
  const int64_t at = row * b_.ld + first;
  if (n <= kShortPiece) prefetch_dense(at + rows * b_.ld, rows, n);
  if (b_.kind == MatrixB::f32) {
    *ld = b_.ld;
    return static_cast<const float *>(b_.data) + at;
  }
  auto *halves = static_cast<const uint16_t *>(b_.data) + at;
  if (as_bf16_) {
    *ld = b_.ld;
    return halves;
  }
  auto *floats = static_cast<float *>(buffer);
  kernels_.widen(rows, n, halves, b_.ld, floats, *ld);
  return buffer;
}

// The rows that will be read next: a short piece of a row is too little for the processor to foresee. Beyond the matrix this
// does nothing.
void RowReader::prefetch_dense(int64_t at, int64_t rows, int64_t n) const {
  const int64_t size = b_.kind == MatrixB::f32 ? 4 : 2;
  auto *bytes = static_cast<const char *>(b_.data) + at * size;
  for (int64_t i = 0; i < rows; ++i, bytes += b_.ld * size) {
    for (int64_t line = 0; line < n * size; line += 64) __builtin_prefetch(bytes + line);
  }
}

// The scales of runs of n weights from element `at` of the matrix.
void RowReader::read_scales(int64_t at, int64_t n, int64_t run, float *scales) const {
  const auto &w = *static_cast<const cria_nf4 *>(b_.data);
  if (w.scales || nested_shift_ < 0) {
    for (int64_t i = 0; i < n; i += run) *scales++ = nf4_scale(w, (at + i) >> block_shift_);
    return;
  }
  // As nf4_scale, whose division and first factor are the same for a whole nested block.
  const int group_shift = block_shift_ + nested_shift_;
  for (int64_t i = 0; i < n;) {
    const int64_t group = (at + i) >> group_shift;
    const int64_t end = std::min(n, ((group + 1) << group_shift) - at);
    const float absmax = w.nested_absmax[group];
    const int64_t count = divide_up(end - i, run);
    if (run == w.block_size) {
      kernels_.nested_scales(count, w.scale_codes + ((at + i) >> block_shift_), w.nested_map,
                             absmax, w.nested_offset, scales);
    } else {
      for (int64_t j = 0; j < count; ++j) {
        const float product =
            w.nested_map[w.scale_codes[(at + i + j * run) >> block_shift_]] * absmax;
        scales[j] = product + w.nested_offset;
      }
    }
    scales += count;
    i += count * run;
  }
}

bool RowReader::has_runs() const {
  if (b_.kind != MatrixB::nf4) return false;
  const auto &w = *static_cast<const cria_nf4 *>(b_.data);
  return w.block_size >= 64 && w.k % 64 == 0;
}

Nf4Rows RowReader::read_runs(int64_t row, int64_t rows, int64_t first, int64_t n,
                             float *scales) const {
  const auto &w = *static_cast<const cria_nf4 *>(b_.data);
  const int64_t start = row * w.k + first, runs = n / 64;
  if (n == w.k) {
    read_scales(start, rows * n, 64, scales);
  } else {
    for (int64_t i = 0; i < rows; ++i) read_scales(start + i * w.k, n, 64, scales + i * runs);
  }
  return {rows, n, 64, w.codes + start / 2, w.k / 2, w.code_map, scales, runs};
}

void RowReader::decode_nf4(int64_t row, int64_t rows, int64_t first, int64_t n, char *to,
                           int64_t ld) const {
  const auto &w = *static_cast<const cria_nf4 *>(b_.data);
  // Blocks are powers of two from 32 up, so 32 weights that begin at a multiple of 32 have one scale.
  const int64_t aligned = w.k % 32 == 0 && first % 32 == 0 ? n / 32 * 32 : 0;
  const int64_t run = w.block_size >= 64 && w.k % 64 == 0 && first % 64 == 0 ? 64 : 32;
  const int64_t most = kScales / rows;  // runs of a row
  for (int64_t done = 0; done < aligned; done += most * run) {
    const int64_t count = std::min(most * run, aligned - done);
    const int64_t start = row * w.k + first + done;
    float scales[kScales];
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t at = start + i * w.k;
      read_scales(at, count, run, scales + i * most);
      // The rows that will be read next; a short piece of a row is too little for the processor to foresee.
      if (row + rows + i < w.n) __builtin_prefetch(w.codes + (at + rows * w.k) / 2);
    }
    const Nf4Rows source{rows, count, run, w.codes + start / 2, w.k / 2, w.code_map, scales, most};
    if (as_bf16_) {
      kernels_.nf4_to_bf16(source, reinterpret_cast<uint16_t *>(to) + done, ld);
    } else {
      kernels_.nf4_to_f32(source, reinterpret_cast<float *>(to) + done, ld);
    }
  }
  if (aligned == n) return;
  for (int64_t i = 0; i < rows; ++i) {
    decode_any(row + i, first + aligned, n - aligned, to + (i * ld + aligned) * element_size());
  }
}

// Rows that begin inside a block or a byte, and what is left of the others.
void RowReader::decode_any(int64_t row, int64_t first, int64_t n, char *to) const {
  const auto &w = *static_cast<const cria_nf4 *>(b_.data);
  const int64_t start = row * w.k + first;
  for (int64_t done = 0; done < n;) {
    const int64_t block = (start + done) >> block_shift_;
    const int64_t end = std::min(n, (block + 1) * w.block_size - start);
    const float factor = nf4_scale(w, block);
    uint32_t table[16];
    for (int c = 0; c < 16; ++c) table[c] = canonical(w.code_map[c], factor);
    for (; done < end; ++done) {
      const int64_t e = start + done;
      const uint32_t bits = table[e % 2 ? w.codes[e / 2] & 15 : w.codes[e / 2] >> 4];
      if (as_bf16_) {
        reinterpret_cast<uint16_t *>(to)[done] = static_cast<uint16_t>(bits >> 16);
      } else {
        std::memcpy(to + done * 4, &bits, sizeof bits);
      }
    }
  }
}

}  // namespace cria::cpu
