// attention_rows.h: flash attention of one block of query rows: queries, running maxima, sums and outputs, in scratch.
//
// Two forms: PackedAttentionRows takes tiles packed as panels of words, CachedAttentionRows the tiles of a cache.
#pragma once

#include <array>
#include <cmath>
#include <limits>

#include "cpu/attention_plan.h"
#include "cpu/cpu_device.h"

namespace cria::cpu {

constexpr int64_t kForwardStep = 12;   // rows per piece on the diagonal
constexpr int64_t kBackwardStep = 24;  // the same; longer, since the rows are also summed over
static_assert(kForwardStep % 2 == 0 && kBackwardStep % 2 == 0, "pieces consist of whole words");

inline const AttentionKernels &attention_kernels_of(const CpuDevice &device, cria_dtype precision) {
  const AttentionPrecisions &kernels = attention_kernels(device.tier);
  return precision == CRIA_BF16 ? kernels.bf16 : kernels.f32;
}

// What a product is multiplied by for a score in base 2, never 0: a factor that small makes all scores 0, too.
inline float score_factor(float scale) {
  const auto factor = (float)(scale * kLog2E);
  return factor == 0 ? std::numeric_limits<float>::min() : factor;
}

// What both forms share.
class AttentionRows {
 public:
  // Row i's attention [d], and log(sum(exp(scores))). Zeros and -inf where it saw nothing.
  float finish(int64_t i, float *out) const {
    kernels_.copy_row(d_, l_[i] == 0 ? 0.0f : 1 / l_[i], outputs_ + i * width_, d_, out);
    return l_[i] == 0 ? -std::numeric_limits<float>::infinity()
                      : (float)(m_[i] * kLn2 + std::log((double)l_[i]));
  }

  // The parts from which a row is merged: maximum (base 2), sum, and output not yet divided by the sum.
  float maximum(int64_t i) const { return m_[i]; }
  float sum(int64_t i) const { return l_[i]; }
  const float *output(int64_t i) const { return outputs_ + i * width_; }

 protected:
  AttentionRows(CpuDevice &device, const AttentionKernels &kernels, int64_t rows, int64_t d,
                float scale)
      : kernels_(kernels),
        rows_(rows),
        d_(d),
        width_(round_up(d, kColumnUnit)),
        factor_(score_factor(scale)),
        scratch_(device, rows * (2 * width_ + kTileKeys) * (int64_t)sizeof(float)),
        queries_(scratch_.as<float>()),
        outputs_(queries_ + rows * width_),
        scores_(outputs_ + rows * width_) {
    std::fill(outputs_, outputs_ + rows * width_, 0.0f);
    m_.fill(-std::numeric_limits<float>::infinity());
    l_.fill(0);
  }

  const AttentionKernels &kernels_;
  const int64_t rows_, d_, width_;
  const float factor_;
  ScratchBlock scratch_;
  float *queries_, *outputs_, *scores_;  // rows of words or of width_, of width_, of kTileKeys
  std::array<float, kTileRows> m_, l_, keep_;
};

class PackedAttentionRows : public AttentionRows {
 public:
  // scale: of the scores.
  PackedAttentionRows(CpuDevice &device, const AttentionKernels &kernels, int64_t rows, int64_t d,
                      float scale)
      : AttentionRows(device, kernels, rows, d, scale), words_(kernels.words(d)) {}

  // q [d]: the query of row i.
  void set_query(int64_t i, const float *q) { kernels_.pack_row(d_, q, queries_ + i * words_); }

  // Takes in a tile: keys as of pack_transposed, values as of pack_upright with words(kTileKeys) of depth. Row i sees keys
  // low .. high[i]; high ascends.
  void see(const float *keys, const float *values, int64_t low, const int32_t *high) {
    const int64_t depth = kernels_.words(kTileKeys), begin = low / kernels_.per_word;
    each_piece(rows_, kForwardStep, low, high, [&](int64_t first, int64_t rows, int64_t most) {
      const int64_t n = round_up(most, kColumnUnit);
      float *scores = scores_ + first * kTileKeys;
      kernels_.multiply(rows, n, words_, queries_ + first * words_, words_, 1, keys, words_,
                        nullptr, scores, kTileKeys);
      kernels_.softmax(rows, n, low, high + first, factor_, scores, &m_[first], &l_[first],
                       &keep_[first]);
      kernels_.multiply(rows, width_, kernels_.words(most) - begin, scores + begin, kTileKeys, 1,
                        values + begin * kernels_.panel, depth, &keep_[first],
                        outputs_ + first * width_, width_);
    });
  }

 private:
  const int64_t words_;
};

class CachedAttentionRows : public AttentionRows {
 public:
  // scale: of the scores.
  CachedAttentionRows(CpuDevice &device, const AttentionKernels &kernels, int64_t rows, int64_t d,
                      float scale)
      : AttentionRows(device, kernels, rows, d, scale) {}

  // q [d]: the query of row i.
  void set_query(int64_t i, const float *q) {
    kernels_.copy_row(d_, 1, q, width_, queries_ + i * width_);
  }

  // Takes in a tile: k [d][kTileKeys], v rows of d elements, of which round_up(d, kColumnUnit) are read. Row i sees keys
  // below high[i]; high ascends.
  template <class B>
  void see(const B *k, const B *v, const int32_t *high) {
    each_piece(rows_, kForwardStep, 0, high, [&](int64_t first, int64_t rows, int64_t most) {
      const int64_t n = round_up(most, kColumnUnit);
      float *scores = scores_ + first * kTileKeys;
      multiply(rows, n, d_, queries_ + first * width_, width_, k, kTileKeys, nullptr, scores,
               kTileKeys);
      kernels_.softmax(rows, n, 0, high + first, factor_, scores, &m_[first], &l_[first],
                       &keep_[first]);
      multiply(rows, width_, most, scores, kTileKeys, v, d_, &keep_[first],
               outputs_ + first * width_, width_);
    });
  }

 private:
  void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, const float *b,
                int64_t b_row, const float *keep, float *c, int64_t c_row) const {
    kernels_.multiply_rows(m, n, k, a, a_row, b, b_row, keep, c, c_row);
  }
  void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, const uint16_t *b,
                int64_t b_row, const float *keep, float *c, int64_t c_row) const {
    kernels_.multiply_rows_bf16(m, n, k, a, a_row, b, b_row, keep, c, c_row);
  }
};

}  // namespace cria::cpu
