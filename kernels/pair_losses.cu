// pair_losses.cu: preference losses of pairs of answers and their gradients; scalar work in float64, one thread a pair.
#include "device/device.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 128;

// log s(x), s the logistic function, without overflow.
CRIA_GPU double log_sigmoid(double x) { return (x < 0 ? x : 0.0) - log1p(exp(-fabs(x))); }

CRIA_GPU double sigmoid(double x) {
  const double e = exp(-fabs(x));
  return (x >= 0 ? 1.0 : e) / (1.0 + e);
}

struct PairLoss {
  double loss;
  double slope;  // d loss / d (the difference that the loss is a function of)
};

// -(1-e) log s(d) - e log s(-d)
CRIA_GPU PairLoss smoothed_sigmoid(double d, double e) {
  return {-(1 - e) * log_sigmoid(d) - e * log_sigmoid(-d), e * sigmoid(d) - (1 - e) * sigmoid(-d)};
}

CRIA_KERNEL(kThreads, 1)
void dpo_loss_kernel(int64_t n, cria_pair_loss kind, float beta, float label_smoothing,
                     const float *chosen, const float *rejected, const float *ref_chosen,
                     const float *ref_rejected, const int32_t *len_chosen,
                     const int32_t *len_rejected, uint64_t *fault, float *loss, float *grad_chosen,
                     float *grad_rejected) {
  const int64_t i = int64_t(block_x()) * kThreads + thread_index();
  if (i >= n) return;
  double w = 1, l = 1;  // weights of the two log-ratios in the difference
  if (kind == CRIA_DPO_IPO) {
    const int32_t n_w = load(len_chosen + i), n_l = load(len_rejected + i);
    const int32_t shorter = minimum(n_w, n_l);
    if (shorter < 1) atomic_min(fault, uint64_t(i) << 32 | uint32_t(shorter));
    w = 1.0 / n_w;
    l = 1.0 / n_l;
  }
  const double u = (double(load(chosen + i)) - load(ref_chosen + i)) * w -
                   (double(load(rejected + i)) - load(ref_rejected + i)) * l;
  PairLoss result;
  double scale = 1;  // d difference / d u
  if (kind == CRIA_DPO_SIGMOID) {
    scale = beta;
    result = smoothed_sigmoid(scale * u, label_smoothing);
  } else if (kind == CRIA_DPO_HINGE) {
    scale = beta;
    result = scale * u < 1 ? PairLoss{1 - scale * u, -1.0} : PairLoss{0.0 * u, 0.0};  // NaN stays
  } else {
    const double distance = u - 1 / (2.0 * beta);
    result = {distance * distance, 2 * distance};
  }
  store(loss + i, float(result.loss));
  store(grad_chosen + i, float(result.slope * scale * w));
  store(grad_rejected + i, float(-result.slope * scale * l));
}

CRIA_KERNEL(kThreads, 1)
void reward_pair_loss_kernel(int64_t n, float center, const float *chosen, const float *rejected,
                             const float *margin, float *loss, float *grad_chosen,
                             float *grad_rejected) {
  const int64_t i = int64_t(block_x()) * kThreads + thread_index();
  if (i >= n) return;
  const double c = load(chosen + i), r = load(rejected + i), sum = c + r;
  const PairLoss ranking = smoothed_sigmoid(c - r - (margin ? load(margin + i) : 0.0f), 0);
  const double pull = 2 * center * sum;
  store(loss + i, float(ranking.loss + center * sum * sum));
  store(grad_chosen + i, float(ranking.slope + pull));
  store(grad_rejected + i, float(-ranking.slope + pull));
}

}  // namespace

cria_status dpo_loss(cria_queue *queue, int64_t n, cria_pair_loss kind, float beta,
                     float label_smoothing, const float *chosen, const float *rejected,
                     const float *ref_chosen, const float *ref_rejected, const int32_t *len_chosen,
                     const int32_t *len_rejected, float *loss, float *grad_chosen,
                     float *grad_rejected) {
  GpuQueue &gpu = queue_of(queue);
  launch(gpu, "dpo_loss", &dpo_loss_kernel, {divide_up(n, kThreads)}, kThreads, 0, n, kind, beta,
         label_smoothing, chosen, rejected, ref_chosen, ref_rejected, len_chosen, len_rejected,
         gpu.fault_slot(Fault::answer_length, 0), loss, grad_chosen, grad_rejected);
  return CRIA_OK;
}

cria_status reward_pair_loss(cria_queue *queue, int64_t n, float center, const float *chosen,
                             const float *rejected, const float *margin, float *loss,
                             float *grad_chosen, float *grad_rejected) {
  launch(queue_of(queue), "reward_pair_loss", &reward_pair_loss_kernel, {divide_up(n, kThreads)},
         kThreads, 0, n, center, chosen, rejected, margin, loss, grad_chosen, grad_rejected);
  return CRIA_OK;
}

}  // namespace cria::gpu
