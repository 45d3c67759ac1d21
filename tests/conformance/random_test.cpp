// random_test.cpp: random numbers by their formula, their moments, and their independence of the length.
#include "oracle.h"

namespace conformance {
namespace {

// Multiples of 2^-24 in [0, 1), by the hash of cria.h.
double unit(uint64_t key, int64_t i) { return double(hash(key, uint64_t(i)) >> 8) * 0x1p-24; }

void formula_case(Context &c, int64_t n) {
  const uint64_t key = 0x123456789ABCDEF0u + uint64_t(n), other = key ^ 0x9E3779B97F4A7C15u;
  const float low = -0.3f, high = 0.7f, mean = 0.25f, deviation = 1.5f;
  std::vector<float> uniform;
  Matrix normal, bound;
  for (int64_t i = 0; i < n; i++) {
    uniform.push_back(float(unit(key, i)) * (high - low) + low);
    const double radius = std::sqrt(-2 * std::log(unit(key, i) + 0x1p-24)) * double(deviation);
    normal.push_back(radius * std::cos(6.283185307179586 * unit(other, i)) + double(mean));
    // Logarithm and cosine within 3 roundings, root, product, sum.
    bound.push_back(8 * kEps * (radius + std::fabs(normal.back())));
  }
  Array<float> x(c, n);
  Array<uint16_t> half(c, n);
  c.ok(cria_random_uniform(c.queue, n, key, low, high, CRIA_F32, x), "random_uniform");
  c.same("uniform", x.values(), uniform);
  c.ok(cria_random_uniform(c.queue, n, key, low, high, CRIA_BF16, half), "uniform as bf16");
  c.same("uniform as bf16", half.values(), bf16_of(uniform));
  c.ok(cria_random_normal(c.queue, n, key, mean, deviation, CRIA_F32, x), "random_normal");
  const std::vector<float> wide = x.values();
  c.close("normal", wide, normal, bound);
  c.ok(cria_random_normal(c.queue, n, key, mean, deviation, CRIA_BF16, half), "normal as bf16");
  c.same("normal as bf16", half.values(), bf16_of(wide));
}

struct Registration {
  Registration() {
    for (int64_t n : {0, 1, 7, 64, 1000, 5001}) {
      const auto run = [n](Context &c) { formula_case(c, n); };
      Register("random numbers by formula, " + std::to_string(n), run);
      if (n % 4 == 0)
        Register("random numbers by formula, aligned, " + std::to_string(n), aligned(run));
    }
  }
} registration;

const Register random_numbers{
    "random numbers: moments, range, counter", [](Context &c) {
      const int64_t n = 100001;
      Array<float> u(c, n), z(c, n), again(c, n), other(c, n), head(c, 1000);
      c.ok(cria_random_uniform(c.queue, n, 42, -2, 3, CRIA_F32, u), "random_uniform");
      c.ok(cria_random_normal(c.queue, n, 42, 1, 0.5f, CRIA_F32, z), "random_normal");
      c.ok(cria_random_normal(c.queue, n, 42, 1, 0.5f, CRIA_F32, again), "random_normal again");
      c.ok(cria_random_normal(c.queue, n, 43, 1, 0.5f, CRIA_F32, other),
           "random_normal, other key");
      c.ok(cria_random_normal(c.queue, 1000, 42, 1, 0.5f, CRIA_F32, head), "random_normal, fewer");
      std::vector<float> us = u.values(), zs = z.values(), os = other.values();
      c.same("same key", again.values(), zs);
      c.same("a prefix", head.values(), std::vector<float>(zs.begin(), zs.begin() + 1000));
      double mu = 0, mz = 0, vu = 0, vz = 0, cross = 0;
      bool inside = true;
      for (size_t i = 0; i < size_t(n); i++) {
        mu += us[i];
        mz += zs[i];
        inside = inside && us[i] >= -2 && us[i] < 3;
      }
      mu /= double(n);
      mz /= double(n);
      for (size_t i = 0; i < size_t(n); i++) {
        vu += (us[i] - mu) * (us[i] - mu);
        vz += (zs[i] - mz) * (zs[i] - mz);
        cross += (zs[i] - mz) * (os[i] - mz);
      }
      // Six standard errors of each estimate.
      double root = std::sqrt(double(n));
      c.checks++;
      if (!inside) c.fail("uniform numbers leave [-2, 3)");
      c.close("uniform mean", {float(mu)}, {0.5}, 6 * 1.4434 / root);
      c.close("uniform variance", {float(vu / double(n))}, {25.0 / 12}, 6 * 1.87 / root);
      c.close("normal mean", {float(mz)}, {1.0}, 6 * 0.5 / root);
      c.close("normal variance", {float(vz / double(n))}, {0.25}, 6 * 0.25 * 1.4143 / root);
      c.close("correlation of keys", {float(cross / double(n))}, {0.0}, 6 * 0.25 / root);
    }};

}  // namespace
}  // namespace conformance
