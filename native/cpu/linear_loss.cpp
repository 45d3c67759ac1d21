// linear_loss.cpp: losses of a linear head, z = h W^T, over labelled rows only and never with all logits at once.
//
// Rows go through in chunks: logits (a product), then per row the sums of exponentials and, when a gradient is
// wanted, d loss / d z in place of z, then the products with W and h. A row's result does not depend on its chunk.
#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstring>
#include <vector>

#include "abi/error.h"
#include "cpu/gemm/gemm.h"
#include "cpu/kernels/logits.h"
#include "cpu/operations.h"
#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int32_t kIgnored = -100;
constexpr int64_t kChunkLogits = 12 << 20;  // 48 MB: rows enough to repay the packing of W
constexpr int64_t kFewestRows = 24, kMostRows = 1008;

struct Head {
  int64_t t, c, v;
  MatrixB::Kind kind;
  const void *w;   // [V,C]
  const float *h;  // [T,C]
  const int32_t *labels;
};

// What a loss makes of one row: sums of the row and its label's logit in; the gradient g as factors of
// z_j <- p_j (a + b (log p_j + entropy)) and `label` to add at the label out.
struct RowGradient {
  float a, b, label;
};

struct RowResult {
  double lse_distance;  // lse - largest
  double logp;
  double entropy;
};

MatrixB::Kind kind_of(cria_dtype dtype) {
  return dtype == CRIA_BF16 ? MatrixB::bf16 : MatrixB::f32;
}

// Rows with a label, in order.
std::vector<int64_t> labelled_rows(const char *operation, const Head &head) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < head.t; ++i) {
    const int32_t label = head.labels[i];
    if (label == kIgnored) continue;
    if (label < 0 || label >= head.v) {
      fail(CRIA_INVALID_ARGUMENT,
           "%s: labels[%" PRId64 "] must be -100 or 0..%" PRId64 ": %" PRId32, operation, i,
           head.v - 1, label);
    }
    rows.push_back(i);
  }
  return rows;
}

// Rows of [T,C] as one matrix: the source itself where they follow each other, else gathered.
class Rows {
 public:
  Rows(CpuDevice &device, const int64_t *rows, int64_t count, int64_t c)
      : rows_(rows),
        count_(count),
        c_(c),
        adjacent_(rows[count - 1] - rows[0] == count - 1),
        copy_(device, adjacent_ ? 0 : count * c * static_cast<int64_t>(sizeof(float))) {}
  const float *gather(const float *from) {
    if (adjacent_) return from + rows_[0] * c_;
    for (int64_t i = 0; i < count_; ++i) {
      std::memcpy(copy_.as<float>() + i * c_, from + rows_[i] * c_,
                  static_cast<size_t>(c_) * sizeof(float));
    }
    return copy_.as<float>();
  }
  // Where a product writes these rows of `to`; scatter() then brings them there.
  float *target(float *to) { return adjacent_ ? to + rows_[0] * c_ : copy_.as<float>(); }
  void scatter(float *to) {
    if (adjacent_) return;
    for (int64_t i = 0; i < count_; ++i) {
      std::memcpy(to + rows_[i] * c_, copy_.as<float>() + i * c_,
                  static_cast<size_t>(c_) * sizeof(float));
    }
  }

 private:
  const int64_t *rows_;
  int64_t count_, c_;
  bool adjacent_;
  ScratchBlock copy_;
};

void clear_ignored(const Head &head, float *rows, int64_t width) {
  if (!rows) return;
  for (int64_t i = 0; i < head.t; ++i) {
    if (head.labels[i] == kIgnored) std::fill_n(rows + i * width, width, 0.0f);
  }
}

// Calls visit(row, result) for every labelled row, and with dh or dw multiplies the gradient that it returns:
// dh rows overwritten (0 on ignored rows), dw +=.
template <class Visit>
void for_rows(CpuDevice &device, const Head &head, const std::vector<int64_t> &rows, float *dh,
              float *dw, Visit visit) {
  clear_ignored(head, dh, head.c);
  const int64_t count = static_cast<int64_t>(rows.size()), c = head.c, v = head.v;
  if (count == 0) return;
  const LogitKernels &kernels = logit_kernels(device.tier);
  const int64_t most = std::clamp(kChunkLogits / v, kFewestRows, kMostRows);
  const int64_t chunks = divide_up(count, most);
  const int64_t step = divide_up(count, chunks);
  ScratchBlock logits(device, step * v * static_cast<int64_t>(sizeof(float)));
  for (int64_t first = 0; first < count; first += step) {
    const int64_t n = std::min(step, count - first);
    float *z = logits.as<float>();
    Rows block(device, rows.data() + first, n, c);
    const float *h = block.gather(head.h);
    const Term product{c, {h, c}, {head.kind, head.w, c, true}};
    gemm(device, n, v, &product, 1, false, z, v);
    device.parallel(n, [&](int64_t i) {
      const int64_t row = rows[static_cast<size_t>(first + i)];
      float *zi = z + i * v;
      const LogitSums sums = kernels.sums(v, zi);
      const double distance = std::log(sums.sum);
      const int32_t label = head.labels[row];
      const RowResult result{distance, static_cast<double>(zi[label]) - sums.largest - distance,
                             distance - sums.weighted / sums.sum};
      const RowGradient g = visit(row, result);
      if (!dh && !dw) return;
      kernels.gradient(v, sums.largest, static_cast<float>(1 / sums.sum), g.a, g.b,
                       static_cast<float>(result.entropy - distance), zi);
      zi[label] += g.label;
    });
    if (dw) {
      const Term term{n, {z, v, true}, {MatrixB::f32, h, c, false}};
      gemm(device, v, c, &term, 1, true, dw, c);
    }
    if (dh) {
      const Term term{v, {z, v}, {head.kind, head.w, c, false}};
      gemm(device, n, c, &term, 1, false, block.target(dh), c);
      block.scatter(dh);
    }
  }
}

}  // namespace

cria_status linear_cross_entropy(cria_queue *queue, int64_t t, int64_t c, int64_t v,
                                 cria_dtype dtype, const void *w, const float *h,
                                 const int32_t *labels, const float *weights, float grad_scale,
                                 double *loss_sum, float *losses, float *dh, float *dw) {
  CpuDevice &device = device_of(queue);
  const Head head{t, c, v, kind_of(dtype), w, h, labels};
  const std::vector<int64_t> rows = labelled_rows("linear_cross_entropy", head);
  std::vector<double> row_losses(static_cast<size_t>(t));
  clear_ignored(head, losses, 1);
  for_rows(device, head, rows, dh, dw, [&](int64_t row, const RowResult &result) {
    const float weight = weights ? weights[row] : 1.0f;
    row_losses[static_cast<size_t>(row)] = weight * -result.logp;
    if (losses) losses[row] = static_cast<float>(-result.logp);
    const float g = grad_scale * weight;
    return RowGradient{g, 0, -g};
  });
  double sum = 0;
  for (const int64_t row : rows) sum += row_losses[static_cast<size_t>(row)];
  *loss_sum = sum;
  return CRIA_OK;
}

cria_status linear_logprob(cria_queue *queue, int64_t t, int64_t c, int64_t v, cria_dtype dtype,
                           const void *w, const float *h, const int32_t *labels, float *logp,
                           float *entropy, float *unit_grad) {
  CpuDevice &device = device_of(queue);
  const Head head{t, c, v, kind_of(dtype), w, h, labels};
  const std::vector<int64_t> rows = labelled_rows("linear_logprob", head);
  clear_ignored(head, logp, 1);
  clear_ignored(head, entropy, 1);
  for_rows(device, head, rows, unit_grad, nullptr, [&](int64_t row, const RowResult &result) {
    logp[row] = static_cast<float>(result.logp);
    if (entropy) entropy[row] = static_cast<float>(result.entropy);
    return RowGradient{-1, 0, 1};
  });
  return CRIA_OK;
}

cria_status linear_logprob_bwd(cria_queue *queue, int64_t t, int64_t c, int64_t v, cria_dtype dtype,
                               const void *w, const float *h, const int32_t *labels,
                               const float *dlogp, const float *dentropy, float *dh, float *dw) {
  CpuDevice &device = device_of(queue);
  const Head head{t, c, v, kind_of(dtype), w, h, labels};
  const std::vector<int64_t> rows = labelled_rows("linear_logprob_bwd", head);
  if (!dh && !dw) return CRIA_OK;
  for_rows(device, head, rows, dh, dw, [&](int64_t row, const RowResult &) {
    const float by_logp = dlogp ? dlogp[row] : 0, by_entropy = dentropy ? dentropy[row] : 0;
    return RowGradient{-by_logp, -by_entropy, by_logp};
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
