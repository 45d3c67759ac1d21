// pair_losses.cpp: preference losses of pairs of answers; scalar work in float64.
#include <algorithm>
#include <cinttypes>
#include <cmath>

#include "abi/error.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

// log s(x), s the logistic function, without overflow.
double log_sigmoid(double x) { return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))); }

double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return (x >= 0 ? 1.0 : e) / (1.0 + e);
}

struct PairLoss {
  double loss;
  double slope;  // d loss / d (the difference that the loss is a function of)
};

// -(1-e) log s(d) - e log s(-d)
PairLoss smoothed_sigmoid(double d, double e) {
  return {-(1 - e) * log_sigmoid(d) - e * log_sigmoid(-d), e * sigmoid(d) - (1 - e) * sigmoid(-d)};
}

PairLoss squared(double distance) { return {distance * distance, 2 * distance}; }

}  // namespace

cria_status dpo_loss(cria_queue *, int64_t n, cria_pair_loss kind, float beta,
                     float label_smoothing, const float *chosen, const float *rejected,
                     const float *ref_chosen, const float *ref_rejected, const int32_t *len_chosen,
                     const int32_t *len_rejected, float *loss, float *grad_chosen,
                     float *grad_rejected) {
  const bool mean = kind == CRIA_DPO_IPO;
  for (int64_t i = 0; mean && i < n; ++i) {
    if (len_chosen[i] < 1 || len_rejected[i] < 1) {
      fail(CRIA_INVALID_ARGUMENT,
           "dpo_loss: pair %" PRId64 " has an empty answer: lengths %d and %d", i, len_chosen[i],
           len_rejected[i]);
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    // Weights of the two log-ratios in the difference.
    const double w = mean ? 1.0 / len_chosen[i] : 1.0, l = mean ? 1.0 / len_rejected[i] : 1.0;
    const double u = (static_cast<double>(chosen[i]) - ref_chosen[i]) * w -
                     (static_cast<double>(rejected[i]) - ref_rejected[i]) * l;
    PairLoss result;
    double scale = 1;  // d difference / d u
    switch (kind) {
      case CRIA_DPO_SIGMOID:
        scale = beta;
        result = smoothed_sigmoid(scale * u, label_smoothing);
        break;
      case CRIA_DPO_HINGE:
        scale = beta;
        result = scale * u < 1 ? PairLoss{1 - scale * u, -1.0} : PairLoss{0.0 * u, 0.0};
        break;
      default:  // IPO
        result = squared(u - 1 / (2.0 * beta));
    }
    loss[i] = static_cast<float>(result.loss);
    grad_chosen[i] = static_cast<float>(result.slope * scale * w);
    grad_rejected[i] = static_cast<float>(-result.slope * scale * l);
  }
  return CRIA_OK;
}

cria_status reward_pair_loss(cria_queue *, int64_t n, float center, const float *chosen,
                             const float *rejected, const float *margin, float *loss,
                             float *grad_chosen, float *grad_rejected) {
  for (int64_t i = 0; i < n; ++i) {
    const double c = chosen[i], r = rejected[i], sum = c + r;
    const PairLoss ranking = smoothed_sigmoid(c - r - (margin ? margin[i] : 0.0f), 0);
    const double pull = 2 * center * sum;
    loss[i] = static_cast<float>(ranking.loss + center * sum * sum);
    grad_chosen[i] = static_cast<float>(ranking.slope + pull);
    grad_rejected[i] = static_cast<float>(-ranking.slope + pull);
  }
  return CRIA_OK;
}

}  // namespace cria::cpu
