// adamw.h: the numbers of one step of AdamW, worked out in float64 for all parameters.
#pragma once

#include <cmath>
#include <cstdint>

namespace cria {

// Of p *= keep; m = beta1 m + rest1 g; v = beta2 v + rest2 g^2; p -= rate * m / (sqrt(v) * root + eps), g = grad_scale * grad.
struct AdamWStep {
  float grad_scale, keep, beta1, rest1, beta2, rest2, rate, root, eps;
};

inline AdamWStep adamw_step(float grad_scale, float lr, double beta1, double beta2, float eps,
                            float decay, int64_t step) {
  const double t = static_cast<double>(step);
  const auto narrow = [](double x) { return static_cast<float>(x); };
  AdamWStep s;
  s.grad_scale = grad_scale;
  s.keep = narrow(1.0 - static_cast<double>(lr) * decay);
  s.beta1 = narrow(beta1);
  s.rest1 = narrow(1.0 - beta1);
  s.beta2 = narrow(beta2);
  s.rest2 = narrow(1.0 - beta2);
  s.rate = narrow(lr / (1.0 - std::pow(beta1, t)));
  s.root = narrow(1.0 / std::sqrt(1.0 - std::pow(beta2, t)));
  s.eps = eps;
  return s;
}

// Parameters that share the scales of their 8-bit moments.
constexpr int64_t kMomentBlock = 256;

}  // namespace cria
