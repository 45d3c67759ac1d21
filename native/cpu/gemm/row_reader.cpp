// row_reader.cpp: rows of a stored weight as float32 or bf16; NF4 weights are decoded here, piece by piece.
#include <algorithm>
#include <cstring>

#include "cpu/gemm/pack.h"

namespace cria::cpu {
namespace {

// The canonical value as float bits, rounded to bf16 (nearest even).
uint32_t canonical(float code, float scale) {
  float product = code * scale;
  uint32_t bits;
  std::memcpy(&bits, &product, sizeof bits);
  return (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u;
}

}  // namespace

RowReader::RowReader(const GemmKernels &kernels, const MatrixB &b, bool as_bf16)
    : kernels_(kernels), b_(b), as_bf16_(as_bf16) {}

const void *RowReader::read(int64_t row, int64_t first, int64_t n, void *buffer) const {
  int64_t ld = n;
  return read_rows(row, 1, first, n, buffer, &ld);
}

const void *RowReader::read_rows(int64_t row, int64_t rows, int64_t first, int64_t n, void *buffer,
                                 int64_t *ld) const {
  if (b_.kind == MatrixB::nf4) {
    for (int64_t i = 0; i < rows; ++i) {
      decode_nf4(row + i, first, n, static_cast<char *>(buffer) + i * *ld * element_size());
    }
    return buffer;
  }
  const int64_t at = row * b_.ld + first;
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
  for (int64_t i = 0; i < rows; ++i) kernels_.from_bf16(n, halves + i * b_.ld, floats + i * *ld);
  return buffer;
}

void RowReader::decode_nf4(int64_t row, int64_t first, int64_t n, void *to) const {
  const auto &w = *static_cast<const cria_nf4 *>(b_.data);
  const int64_t start = row * w.k + first;
  int64_t done = 0;
  if (start % 32 == 0) {
    // Blocks are powers of two from 32 up, so a run of 32 aligned weights has one scale.
    const int64_t run = w.block_size >= 64 && start % 64 == 0 ? 64 : 32;
    constexpr int64_t kRuns = 16;
    while (n - done >= 32) {
      const int64_t count = std::min(kRuns * run, (n - done) / 32 * 32);
      float scales[kRuns];
      for (int64_t i = 0; i * run < count; ++i) {
        scales[i] = nf4_scale(w, (start + done + i * run) / w.block_size);
      }
      const uint8_t *codes = w.codes + (start + done) / 2;
      if (as_bf16_) {
        kernels_.nf4_to_bf16(count, run, codes, w.code_map, scales,
                             static_cast<uint16_t *>(to) + done);
      } else {
        kernels_.nf4_to_f32(count, run, codes, w.code_map, scales, static_cast<float *>(to) + done);
      }
      done += count;
    }
  }
  // Rows that begin inside a block or a byte, and what is left of the others.
  while (done < n) {
    const int64_t block = (start + done) / w.block_size;
    const int64_t end = std::min(n, (block + 1) * w.block_size - start);
    const float scale = nf4_scale(w, block);
    uint32_t table[16];
    for (int c = 0; c < 16; ++c) table[c] = canonical(w.code_map[c], scale);
    for (; done < end; ++done) {
      const int64_t e = start + done;
      const uint32_t bits = table[e % 2 ? w.codes[e / 2] & 15 : w.codes[e / 2] >> 4];
      if (as_bf16_) {
        static_cast<uint16_t *>(to)[done] = static_cast<uint16_t>(bits >> 16);
      } else {
        std::memcpy(static_cast<float *>(to) + done, &bits, sizeof bits);
      }
    }
  }
}

}  // namespace cria::cpu
