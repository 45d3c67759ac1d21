// attention_rows.h: flash attention of one block of query rows: queries, running maxima, sums and outputs, in scratch.
#pragma once

#include <array>
#include <cmath>
#include <limits>

#include "cpu/attention_plan.h"
#include "cpu/cpu_device.h"

namespace cria::cpu {

constexpr int64_t kForwardStep = 12;   // rows per piece on the diagonal
constexpr int64_t kBackwardStep = 24;  // the same; longer, since the rows are also summed over

class AttentionRows {
 public:
  // scale: of the scores.
  AttentionRows(CpuDevice &device, const AttentionKernels &kernels, int64_t rows, int64_t d,
                float scale)
      : kernels_(kernels),
        rows_(rows),
        d_(d),
        width_(round_up(d, kColumnUnit)),
        scale_((float)(scale * kLog2E)),
        scratch_(device, rows * (2 * width_ + kTileKeys) * (int64_t)sizeof(float)),
        queries_(scratch_.as<float>()),
        outputs_(queries_ + rows * width_),
        scores_(outputs_ + rows * width_) {
    std::fill(outputs_, outputs_ + rows * width_, 0.0f);
    m_.fill(-std::numeric_limits<float>::infinity());
    l_.fill(0);
  }

  // q [d]: the query of row i.
  void set_query(int64_t i, const float *q) {
    kernels_.copy_row(d_, scale_, q, width_, queries_ + i * width_);
  }

  // Takes in a tile: k [d][kTileKeys], v rows of v_row elements, of which round_up(d, kColumnUnit) are read. Row i sees
  // keys low .. high[i]; high ascends.
  template <class B>
  void see(const B *k, const B *v, int64_t v_row, int64_t low, const int32_t *high) {
    each_piece(rows_, kForwardStep, low, high, [&](int64_t first, int64_t rows, int64_t most) {
      const int64_t n = round_up(most, kColumnUnit);
      float *scores = scores_ + first * kTileKeys;
      multiply(rows, n, d_, queries_ + first * width_, width_, k, kTileKeys, nullptr, scores,
               kTileKeys);
      kernels_.softmax(rows, n, low, high + first, scores, &m_[first], &l_[first], &keep_[first]);
      multiply(rows, width_, most - low, scores + low, kTileKeys, v + low * v_row, v_row,
               &keep_[first], outputs_ + first * width_, width_);
    });
  }

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

 private:
  void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, const float *b,
                int64_t b_row, const float *keep, float *c, int64_t c_row) const {
    kernels_.multiply(m, n, k, a, a_row, 1, b, b_row, keep, c, c_row);
  }
  void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, const uint16_t *b,
                int64_t b_row, const float *keep, float *c, int64_t c_row) const {
    kernels_.multiply_bf16(m, n, k, a, a_row, 1, b, b_row, keep, c, c_row);
  }

  const AttentionKernels &kernels_;
  const int64_t rows_, d_, width_;
  const float scale_;
  ScratchBlock scratch_;
  float *queries_, *outputs_, *scores_;
  std::array<float, kTileRows> m_, l_, keep_;
};

}  // namespace cria::cpu
