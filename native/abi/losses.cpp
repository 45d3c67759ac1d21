// losses.cpp: entries of losses and optimisers.
#include "abi/call.h"

using namespace cria;

namespace {

void check_head(const Arguments &check, int64_t t, int64_t c, int64_t v, cria_dtype dtype,
                const void *w, const float *h, const int32_t *labels) {
  const int64_t hidden = check.count({check.size("t", t), check.size("c", c)});
  check.between("v", v, 1, INT32_MAX);
  check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16});
  check.pointer("w", w, check.count({v, c}));
  check.pointer("h", h, hidden);
  check.pointer("labels", labels, t);
}

void check_adamw(const Arguments &check, int64_t n, const float *p, const float *grad,
                 float grad_scale, float lr, double beta1, double beta2, float eps, float decay,
                 int64_t step) {
  check.pointer("p", p, check.count({check.size("n", n)}));
  check.pointer("grad", grad, n);
  check.finite("grad_scale", grad_scale);
  check.finite("lr", lr);
  check.in_range("beta1", beta1, 0, 1);
  check.in_range("beta2", beta2, 0, 1);
  check.positive("eps", eps);
  check.finite("eps", eps);
  check.finite("decay", decay);
  check.at_least("step", step, 1);
}

}  // namespace

cria_status cria_linear_cross_entropy(cria_queue *queue, int64_t t, int64_t c, int64_t v,
                                      cria_dtype dtype, const void *w, const float *h,
                                      const int32_t *labels, const float *weights, float grad_scale,
                                      double *loss_sum, float *losses, float *dh, float *dw) {
  return guarded("linear_cross_entropy", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check_head(check, t, c, v, dtype, w, h, labels);
    check.finite("grad_scale", grad_scale);
    check.handle("loss_sum", loss_sum);
    return table.linear_cross_entropy(queue, t, c, v, dtype, w, h, labels, weights, grad_scale,
                                      loss_sum, losses, dh, dw);
  });
}

cria_status cria_linear_logprob(cria_queue *queue, int64_t t, int64_t c, int64_t v,
                                cria_dtype dtype, const void *w, const float *h,
                                const int32_t *labels, float *logp, float *entropy,
                                float *unit_grad) {
  return guarded("linear_logprob", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check_head(check, t, c, v, dtype, w, h, labels);
    check.pointer("logp", logp, t);
    return table.linear_logprob(queue, t, c, v, dtype, w, h, labels, logp, entropy, unit_grad);
  });
}

cria_status cria_linear_logprob_bwd(cria_queue *queue, int64_t t, int64_t c, int64_t v,
                                    cria_dtype dtype, const void *w, const float *h,
                                    const int32_t *labels, const float *dlogp,
                                    const float *dentropy, float *dh, float *dw) {
  return guarded("linear_logprob_bwd", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check_head(check, t, c, v, dtype, w, h, labels);
    return table.linear_logprob_bwd(queue, t, c, v, dtype, w, h, labels, dlogp, dentropy, dh, dw);
  });
}

cria_status cria_dpo_loss(cria_queue *queue, int64_t n, cria_pair_loss kind, float beta,
                          float label_smoothing, const float *chosen, const float *rejected,
                          const float *ref_chosen, const float *ref_rejected,
                          const int32_t *len_chosen, const int32_t *len_rejected, float *loss,
                          float *grad_chosen, float *grad_rejected) {
  return guarded("dpo_loss", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.size("n", n);
    check.between("kind", kind, CRIA_DPO_SIGMOID, CRIA_DPO_HINGE);
    check.positive("beta", beta);
    check.finite("beta", beta);
    check.in_range("label_smoothing", label_smoothing, 0, 0.5);
    check.that(kind == CRIA_DPO_SIGMOID || label_smoothing == 0,
               "label_smoothing is for the sigmoid loss only");
    check.pointer("chosen", chosen, n);
    check.pointer("rejected", rejected, n);
    check.pointer("ref_chosen", ref_chosen, n);
    check.pointer("ref_rejected", ref_rejected, n);
    if (kind == CRIA_DPO_IPO) {
      check.pointer("len_chosen", len_chosen, n);
      check.pointer("len_rejected", len_rejected, n);
    }
    check.pointer("loss", loss, n);
    check.pointer("grad_chosen", grad_chosen, n);
    check.pointer("grad_rejected", grad_rejected, n);
    return table.dpo_loss(queue, n, kind, beta, label_smoothing, chosen, rejected, ref_chosen,
                          ref_rejected, len_chosen, len_rejected, loss, grad_chosen, grad_rejected);
  });
}

cria_status cria_reward_pair_loss(cria_queue *queue, int64_t n, float center, const float *chosen,
                                  const float *rejected, const float *margin, float *loss,
                                  float *grad_chosen, float *grad_rejected) {
  return guarded("reward_pair_loss", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.size("n", n);
    check.finite("center", center);
    check.pointer("chosen", chosen, n);
    check.pointer("rejected", rejected, n);
    check.pointer("loss", loss, n);
    check.pointer("grad_chosen", grad_chosen, n);
    check.pointer("grad_rejected", grad_rejected, n);
    return table.reward_pair_loss(queue, n, center, chosen, rejected, margin, loss, grad_chosen,
                                  grad_rejected);
  });
}

cria_status cria_adamw(cria_queue *queue, int64_t n, float *p, void *bf16, const float *grad,
                       float grad_scale, float lr, double beta1, double beta2, float eps,
                       float decay, int64_t step, float *m, float *v) {
  return guarded("adamw", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check_adamw(check, n, p, grad, grad_scale, lr, beta1, beta2, eps, decay, step);
    check.pointer("m", m, n);
    check.pointer("v", v, n);
    return table.adamw(queue, n, p, bf16, grad, grad_scale, lr, beta1, beta2, eps, decay, step, m,
                       v);
  });
}

cria_status cria_adamw8(cria_queue *queue, int64_t n, float *p, void *bf16, const float *grad,
                        float grad_scale, float lr, double beta1, double beta2, float eps,
                        float decay, int64_t step, uint8_t *m_codes, float *m_absmax,
                        uint8_t *v_codes, float *v_absmax) {
  return guarded("adamw8", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check_adamw(check, n, p, grad, grad_scale, lr, beta1, beta2, eps, decay, step);
    check.pointer("m_codes", m_codes, n);
    check.pointer("m_absmax", m_absmax, n);
    check.pointer("v_codes", v_codes, n);
    check.pointer("v_absmax", v_absmax, n);
    return table.adamw8(queue, n, p, bf16, grad, grad_scale, lr, beta1, beta2, eps, decay, step,
                        m_codes, m_absmax, v_codes, v_absmax);
  });
}

cria_status cria_sum_squares(cria_queue *queue, int64_t n, const float *x, double *sum) {
  return guarded("sum_squares", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.pointer("x", x, check.count({check.size("n", n)}));
    check.handle("sum", sum);
    return table.sum_squares(queue, n, x, sum);
  });
}
