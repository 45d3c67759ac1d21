// loss_test.cpp: chunked head losses, preference losses and their gradients.
#include "oracle.h"

namespace conformance {
namespace {

struct Shape {
  int64_t t, c, v;
  bool bf16;
  bool ignored = true;  // a third of the rows has no label
};

struct Row {
  double lse, entropy;
  Matrix z, p;
};

Row row_of(const Matrix &h, const Matrix &w, int64_t t, int64_t c, int64_t v) {
  Row r;
  double top = -INFINITY, sum = 0;
  for (int64_t j = 0; j < v; j++) {
    double z = 0;
    for (int64_t l = 0; l < c; l++) z += h[size_t(t * c + l)] * w[size_t(j * c + l)];
    r.z.push_back(z);
    top = std::fmax(top, z);
  }
  for (double z : r.z) sum += std::exp(z - top);
  r.lse = top + std::log(sum);
  r.entropy = r.lse;
  for (double z : r.z) {
    r.p.push_back(std::exp(z - r.lse));
    r.entropy -= r.p.back() * z;
  }
  return r;
}

struct Inputs {
  std::vector<float> h, w, weights, dlogp, dentropy, dw0;
  std::vector<int32_t> labels;
};

Inputs draw(const Shape &s) {
  Random random(uint64_t(s.t * 77 + s.c * 13 + s.v));
  Inputs in;
  in.h = random.normals(s.t * s.c);
  in.w = random.normals(s.v * s.c, 2 / std::sqrt(double(std::max<int64_t>(1, s.c))));
  if (s.bf16) {
    // Exactly representable inputs, so that rounding them changes nothing. Gradients are still rounded.
    in.w = rounded(in.w);
    in.h = rounded(in.h);
  }
  in.weights = random.normals(s.t);
  in.dlogp = random.normals(s.t);
  in.dentropy = random.normals(s.t);
  in.dw0 = random.normals(s.v * s.c);
  for (int64_t i = 0; i < s.t; i++)
    in.labels.push_back(s.ignored && i % 3 == 1 ? -100
                                                : int32_t(i == 0 ? s.v - 1 : random.below(s.v)));
  return in;
}

// Gradients of the rows' logits G [T,V] turned into dh and dw with their magnitudes.
void check_gradients(Context &context, const Shape &s, const Inputs &in, const Matrix &g,
                     const Matrix &size_g, const std::vector<float> &dh,
                     const std::vector<float> &dw) {
  Matrix w = widen(in.w), h = widen(in.h);
  Matrix want_dh = multiply_transposed(g, transpose(w, s.v, s.c), s.t, s.c, s.v);
  Matrix size_dh = multiply_transposed(size_g, absolute(transpose(w, s.v, s.c)), s.t, s.c, s.v);
  Matrix want_dw =
      sum_of(multiply_transposed(transpose(g, s.t, s.v), transpose(h, s.t, s.c), s.v, s.c, s.t),
             widen(in.dw0));
  Matrix size_dw = sum_of(multiply_transposed(transpose(size_g, s.t, s.v),
                                              absolute(transpose(h, s.t, s.c)), s.v, s.c, s.t),
                          absolute(widen(in.dw0)));
  // Logits err by sum_factor(c) |h||w| (|z| below about 10 here), p by that relative amount; a bf16 head may round G.
  double f = 24 * sum_factor(s.c) + 2 * sum_factor(s.v) + 32 * kEps + (s.bf16 ? kBf16Eps : 0);
  double k = 24 * sum_factor(s.c) + 2 * sum_factor(s.t) + 2 * sum_factor(s.v) + 32 * kEps +
             (s.bf16 ? kBf16Eps : 0);
  context.close("dh", dh, want_dh, scaled(size_dh, f));
  context.close("dw", dw, want_dw, scaled(size_dw, k));
}

void cross_entropy_case(Context &context, const Shape &s) {
  Inputs in = draw(s);
  const float grad_scale = 0.37f;
  Matrix h = widen(in.h), w = widen(in.w);
  for (bool weighted : {false, true}) {
    double want_sum = 0, size_sum = 0;
    Matrix losses(size_t(s.t), 0.0), g(size_t(s.t * s.v), 0.0), size_g(size_t(s.t * s.v), 0.0);
    for (int64_t t = 0; t < s.t; t++) {
      int32_t label = in.labels[size_t(t)];
      if (label < 0) continue;
      Row r = row_of(h, w, t, s.c, s.v);
      double weight = weighted ? double(in.weights[size_t(t)]) : 1,
             loss = r.lse - r.z[size_t(label)];
      losses[size_t(t)] = loss;
      want_sum += weight * loss;
      size_sum += std::fabs(weight) * (std::fabs(r.lse) + std::fabs(r.z[size_t(label)]) + 1);
      for (int64_t j = 0; j < s.v; j++) {
        double factor = double(grad_scale) * weight;
        g[size_t(t * s.v + j)] = factor * (r.p[size_t(j)] - (j == label));
        size_g[size_t(t * s.v + j)] = std::fabs(factor) * (r.p[size_t(j)] + (j == label));
      }
    }
    Array<float> dh_(context, in.h), weights(context, in.weights), losses_out(context, s.t),
        dh(context, s.t * s.c), dw(context, in.dw0);
    Array<float> w32(context, in.w);
    Array<uint16_t> w16(context, bf16_of(in.w));
    Array<int32_t> labels(context, in.labels);
    double sum = NAN;
    const void *head = s.bf16 ? w16.address() : w32.address();
    cria_dtype dtype = s.bf16 ? CRIA_BF16 : CRIA_F32;
    const float *weight_arg = weighted ? weights.get() : nullptr;
    context.ok(cria_linear_cross_entropy(context.queue, s.t, s.c, s.v, dtype, head, dh_, labels,
                                         weight_arg, grad_scale, &sum, losses_out, dh, dw),
               "linear_cross_entropy");
    double f = 24 * sum_factor(s.c) + sum_factor(s.v) + 32 * kEps;
    context.close("loss sum", {float(sum)}, {want_sum}, f * size_sum + std::fabs(want_sum) * kEps);
    context.close("losses", losses_out.values(), losses, f * 24);
    check_gradients(context, s, in, g, size_g, dh.values(), dw.values());
    double alone = NAN;
    context.ok(cria_linear_cross_entropy(context.queue, s.t, s.c, s.v, dtype, head, dh_, labels,
                                         weight_arg, grad_scale, &alone, nullptr, nullptr, nullptr),
               "linear_cross_entropy, value only");
    context.same("value only", std::vector<double>{alone}, {sum});
  }
}

void logprob_case(Context &context, const Shape &s) {
  Inputs in = draw(s);
  Matrix h = widen(in.h), w = widen(in.w);
  Matrix logp(size_t(s.t), 0.0), entropy = logp, unit(size_t(s.t * s.c), 0.0), size_unit = unit;
  Matrix g(size_t(s.t * s.v), 0.0), size_g = g;
  for (int64_t t = 0; t < s.t; t++) {
    int32_t label = in.labels[size_t(t)];
    if (label < 0) continue;
    Row r = row_of(h, w, t, s.c, s.v);
    logp[size_t(t)] = r.z[size_t(label)] - r.lse;
    entropy[size_t(t)] = r.entropy;
    for (int64_t j = 0; j < s.v; j++) {
      double one = (j == label), p = r.p[size_t(j)];
      for (int64_t l = 0; l < s.c; l++) {
        unit[size_t(t * s.c + l)] += (one - p) * w[size_t(j * s.c + l)];
        size_unit[size_t(t * s.c + l)] += (one + p) * std::fabs(w[size_t(j * s.c + l)]);
      }
      double through = -p * (std::log(p) + r.entropy);
      g[size_t(t * s.v + j)] =
          double(in.dlogp[size_t(t)]) * (one - p) + double(in.dentropy[size_t(t)]) * through;
      size_g[size_t(t * s.v + j)] =
          std::fabs(double(in.dlogp[size_t(t)])) * (one + p) +
          std::fabs(double(in.dentropy[size_t(t)])) * p * (std::fabs(std::log(p)) + r.entropy + 1);
    }
  }
  Array<float> dev_h(context, in.h), w32(context, in.w), lp(context, s.t), en(context, s.t),
      ug(context, s.t * s.c), dh(context, s.t * s.c), dw(context, in.dw0), dlogp(context, in.dlogp),
      dentropy(context, in.dentropy);
  Array<uint16_t> w16(context, bf16_of(in.w));
  Array<int32_t> labels(context, in.labels);
  const void *head = s.bf16 ? w16.address() : w32.address();
  cria_dtype dtype = s.bf16 ? CRIA_BF16 : CRIA_F32;
  context.ok(
      cria_linear_logprob(context.queue, s.t, s.c, s.v, dtype, head, dev_h, labels, lp, en, ug),
      "linear_logprob");
  double f = 24 * sum_factor(s.c) + sum_factor(s.v) + 32 * kEps;
  context.close("logp", lp.values(), logp, 24 * f);
  context.close("entropy", en.values(), entropy, 24 * f);
  context.close("unit_grad", ug.values(), unit,
                scaled(size_unit, 2 * f + sum_factor(s.v) + (s.bf16 ? kBf16Eps : 0)));
  context.ok(cria_linear_logprob_bwd(context.queue, s.t, s.c, s.v, dtype, head, dev_h, labels,
                                     dlogp, dentropy, dh, dw),
             "linear_logprob_bwd");
  check_gradients(context, s, in, g, size_g, dh.values(), dw.values());
}

struct Registration {
  Registration() {
    for (Shape s : std::vector<Shape>{{0, 4, 5, false},
                                      {1, 1, 1, false},
                                      {4, 3, 7, false},
                                      {5, 64, 64, false},
                                      {7, 33, 131, false},
                                      {13, 65, 512, false},
                                      {3, 100, 2003, false},
                                      {67, 17, 97, false},
                                      {3, 8, 32000, false},
                                      {2, 3200, 33, false},
                                      // More rows than a device takes at once.
                                      {1600, 3, 5, false},
                                      {1100, 4, 6, false, false},
                                      {6, 5, 4100, false, false},
                                      {2, 1, 32900, false}})
      for (bool bf16 : {false, true}) {
        Shape shape = s;
        shape.bf16 = bf16;
        std::string label = std::to_string(s.t) + "x" + std::to_string(s.c) + "x" +
                            std::to_string(s.v) + (s.ignored ? "" : " all labelled") +
                            (bf16 ? " bf16" : " f32");
        const RunOn when = s.v > 32000 && !bf16 ? RunOn::slow : RunOn::all;
        Register(
            "cross-entropy " + label, [shape](Context &c) { cross_entropy_case(c, shape); }, when);
        Register("log-probability " + label, [shape](Context &c) { logprob_case(c, shape); }, when);
      }
  }
} registration;

double log_sigmoid(double x) { return std::fmin(x, 0) - std::log1p(std::exp(-std::fabs(x))); }

// Loss of one pair as a function of the two policy log-probabilities, straight from the comment in cria.h.
double pair_loss(cria_pair_loss kind, double beta, double e, double w, double l, double rw,
                 double rl, double nw, double nl) {
  double d = beta * ((w - rw) - (l - rl));
  switch (kind) {
    case CRIA_DPO_SIGMOID:
      return -(1 - e) * log_sigmoid(d) - e * log_sigmoid(-d);
    case CRIA_DPO_IPO:
      return std::pow((w - rw) / nw - (l - rl) / nl - 1 / (2 * beta), 2);
    case CRIA_DPO_IPO_SUM:
      return std::pow((w - rw) - (l - rl) - 1 / (2 * beta), 2);
    default:
      return std::fmax(0, 1 - d);
  }
}

const Register dpo{
    "dpo losses and gradients", [](Context &context) {
      for (cria_pair_loss kind : {CRIA_DPO_SIGMOID, CRIA_DPO_IPO, CRIA_DPO_IPO_SUM, CRIA_DPO_HINGE})
        for (float smoothing : {0.0f, 0.2f}) {
          if (smoothing > 0 && kind != CRIA_DPO_SIGMOID) continue;
          const float beta = 0.5f;
          std::vector<float> w, l, rw, rl;
          std::vector<int32_t> nw, nl;
          for (float d : {-50.0f, -1.0f, -1e-3f, 0.0f, 1e-3f, 0.75f, 50.0f}) {
            rw.push_back(-40);
            rl.push_back(-32);
            w.push_back(-40 + d);
            l.push_back(-32 - d);
            nw.push_back(7);
            nl.push_back(5);
          }
          int64_t n = int64_t(w.size());
          Array<float> aw(context, w), al(context, l), arw(context, rw), arl(context, rl),
              loss(context, n), gw(context, n), gl(context, n);
          Array<int32_t> anw(context, nw), anl(context, nl);
          context.ok(cria_dpo_loss(context.queue, n, kind, beta, smoothing, aw, al, arw, arl, anw,
                                   anl, loss, gw, gl),
                     "dpo_loss");
          Matrix want, want_gw, want_gl, bound;
          for (size_t i = 0; i < size_t(n); i++) {
            auto at = [&](double dw, double dl) {
              return pair_loss(kind, double(beta), double(smoothing), double(w[i]) + dw,
                               double(l[i]) + dl, double(rw[i]), double(rl[i]), nw[i], nl[i]);
            };
            const double h = 1e-5;
            want.push_back(at(0, 0));
            want_gw.push_back((at(h, 0) - at(-h, 0)) / (2 * h));
            want_gl.push_back((at(0, h) - at(0, -h)) / (2 * h));
            bound.push_back(8 * kEps * (1 + std::fabs(want.back()) + 100));
          }
          context.close("loss", loss.values(), want, bound);
          // Central differences of |f| <= 1e4 err by h^2 + eps f / h < 1e-6; hinge and sigmoid have no kink at these points.
          context.close("grad chosen", gw.values(), want_gw, 2e-5);
          context.close("grad rejected", gl.values(), want_gl, 2e-5);
        }
      // Equal policies: exactly ln 2 rounded, margins exactly 0.
      Array<float> same(context, std::vector<float>{-12.25f}), loss(context, 1), gw(context, 1),
          gl(context, 1);
      Array<int32_t> length(context, std::vector<int32_t>{3});
      context.ok(cria_dpo_loss(context.queue, 1, CRIA_DPO_SIGMOID, 0.1f, 0, same, same, same, same,
                               length, length, loss, gw, gl),
                 "dpo_loss");
      context.close("ln 2", loss.values(), {0.6931471805599453}, kEps);
    }};

const Register reward{
    "reward pair loss and gradients", [](Context &context) {
      std::vector<float> w = {-30, -1, 0, 0.5f, 2, 40}, l = {3, 1, 0, 0.25f, -2, -40},
                         margin = {0, 0.5f, 0, 1, 0, 2};
      int64_t n = int64_t(w.size());
      Array<float> aw(context, w), al(context, l), am(context, margin), loss(context, n),
          gw(context, n), gl(context, n);
      for (bool with_margin : {false, true}) {
        const float center = 0.01f;
        context.ok(cria_reward_pair_loss(context.queue, n, center, aw, al,
                                         with_margin ? am.get() : nullptr, loss, gw, gl),
                   "reward_pair_loss");
        Matrix want, want_w, want_l, bound;
        for (size_t i = 0; i < size_t(n); i++) {
          double d = double(w[i]) - l[i] - (with_margin ? double(margin[i]) : 0),
                 s = double(w[i]) + l[i];
          want.push_back(-log_sigmoid(d) + double(center) * s * s);
          double slope = -1 / (1 + std::exp(d));
          want_w.push_back(slope + 2 * double(center) * s);
          want_l.push_back(-slope + 2 * double(center) * s);
          bound.push_back(8 * kEps * (1 + std::fabs(d) + double(center) * s * s));
        }
        context.close("loss", loss.values(), want, bound);
        context.close("grad chosen", gw.values(), want_w, bound);
        context.close("grad rejected", gl.values(), want_l, bound);
      }
    }};

const Register oracles{"loss oracles against central differences", [](Context &context) {
                         Random random(6);
                         std::vector<double> h = widen(random.normals(4)),
                                             w = widen(random.normals(7 * 4)), by_h(4, 0.0);
                         Row r = row_of(h, w, 0, 4, 7);
                         for (int j = 0; j < 7; j++)
                           for (int l = 0; l < 4; l++)
                             by_h[size_t(l)] +=
                                 0.6 * ((j == 2) - r.p[size_t(j)]) * w[size_t(j * 4 + l)] -
                                 1.4 * r.p[size_t(j)] * (std::log(r.p[size_t(j)]) + r.entropy) *
                                     w[size_t(j * 4 + l)];
                         check_oracle(
                             context, "log-probability and entropy", h,
                             [&] {
                               Row now = row_of(h, w, 0, 4, 7);
                               return 0.6 * (now.z[2] - now.lse) + 1.4 * now.entropy;
                             },
                             by_h);
                       }};

const Register refusals{
    "losses refuse bad arguments", [](Context &context) {
      Array<float> x(context, std::vector<float>(64, 0.1f));
      Array<int32_t> labels(context, std::vector<int32_t>{1, 4, -100}),
          negative(context, std::vector<int32_t>{1, -5, 0});
      double sum = 0;
      context.refused(cria_linear_cross_entropy(context.queue, 3, 4, 4, CRIA_F32, x, x, labels,
                                                nullptr, 1, &sum, nullptr, nullptr, nullptr),
                      CRIA_INVALID_ARGUMENT, {"linear_cross_entropy", "label", "4"});
      context.refused(cria_linear_logprob(context.queue, 3, 4, 4, CRIA_F32, x, x, negative, x,
                                          nullptr, nullptr),
                      CRIA_INVALID_ARGUMENT, {"linear_logprob", "label", "-5"});
      context.refused(
          cria_dpo_loss(context.queue, 1, 9, 0.1f, 0, x, x, x, x, labels, labels, x, x, x),
          CRIA_INVALID_ARGUMENT, {"dpo_loss", "9"});
      context.refused(cria_dpo_loss(context.queue, 1, CRIA_DPO_SIGMOID, 0.1f, 0.7f, x, x, x, x,
                                    labels, labels, x, x, x),
                      CRIA_INVALID_ARGUMENT, {"dpo_loss", "label_smoothing"});
      Array<int32_t> empty(context, std::vector<int32_t>{3, 0, -1});
      Array<float> loss(context, 3), grad(context, 3);
      context.refused(cria_dpo_loss(context.queue, 3, CRIA_DPO_IPO, 0.1f, 0, x, x, x, x, labels,
                                    empty, loss, grad, grad),
                      CRIA_INVALID_ARGUMENT, {"dpo_loss", "pair 1", "empty"});
      context.refused(cria_dpo_loss(context.queue, 1, CRIA_DPO_SIGMOID, -0.1f, 0, x, x, x, x,
                                    labels, labels, x, x, x),
                      CRIA_INVALID_ARGUMENT, {"dpo_loss", "beta"});
    }};

}  // namespace
}  // namespace conformance
