// sample_test.cpp: tokens drawn from logits.
#include <algorithm>

#include "oracle.h"

namespace conformance {
namespace {

const Register sampling{
    "sampling", [](Context &c) {
      std::vector<float> z = {0.5f, 2.0f, -1.0f, 2.0f, 1.0f, -INFINITY};
      const int64_t v = int64_t(z.size()), draws = c.device_name == "simt" ? 100 : 20000;
      std::vector<float> many;
      for (int64_t i = 0; i < draws; i++) many.insert(many.end(), z.begin(), z.end());
      Array<float> one(c, z), all(c, many);
      Array<int32_t> token(c, 1), tokens(c, draws);
      c.ok(cria_sample(c.queue, 1, v, one, 0, 0, 1, 7, token), "greedy");
      c.same("greedy takes the lowest index of a tie", token.values(), {1});
      struct Setting {
        float temperature;
        int32_t top_k;
        float top_p;
        std::vector<int> support;
      };
      // Probabilities at temperature 1: 0.079 0.354 0.018 0.354 0.130... so top_p 0.6 keeps the two largest.
      for (const Setting &s : std::vector<Setting>{{1, 0, 1, {0, 1, 2, 3, 4}},
                                                   {0.5f, 0, 1, {0, 1, 2, 3, 4}},
                                                   {1, 3, 1, {1, 3, 4}},
                                                   {1, 0, 0.6f, {1, 3}},
                                                   {2, 4, 0.99f, {0, 1, 3, 4}}}) {
        c.ok(cria_sample(c.queue, draws, v, all, s.temperature, s.top_k, s.top_p, 99, tokens),
             "sample");
        std::vector<double> p(size_t(v), 0.0);
        double total = 0;
        for (int i : s.support)
          total += p[size_t(i)] = std::exp(double(z[size_t(i)]) / double(s.temperature));
        std::vector<double> count(size_t(v), 0.0);
        for (int32_t t : tokens.values()) {
          if (t >= 0 && t < v) count[size_t(t)] += 1;  // else the frequencies below do not add up
        }
        for (size_t i = 0; i < size_t(v); i++) {
          double want = p[i] / total;
          c.close("frequency", {float(count[i] / double(draws))}, {want},
                  6 * std::sqrt(want * (1 - want) / double(draws)));
        }
      }
      Array<int32_t> repeat(c, draws);
      c.ok(cria_sample(c.queue, draws, v, all, 1, 0, 1, 99, tokens), "sample");
      c.ok(cria_sample(c.queue, draws, v, all, 1, 0, 1, 99, repeat), "sample");
      c.same("same key, same tokens", repeat.values(), tokens.values());
      Array<float> nothing(c, std::vector<float>{1, 2, NAN, INFINITY, 3, NAN});
      for (float temperature : {0.0f, 1.0f})
        c.refused(cria_sample(c.queue, 3, 2, nothing, temperature, 0, 1, 1, tokens),
                  CRIA_NOT_FINITE, {"sample", "row 1"});
      c.refused(cria_sample(c.queue, 1, v, one, -1, 0, 1, 1, token), CRIA_INVALID_ARGUMENT,
                {"sample", "temperature"});
      c.refused(cria_sample(c.queue, 1, v, one, 1, 0, 0, 1, token), CRIA_INVALID_ARGUMENT,
                {"sample", "top_p"});
    }};

// How far u, the uniform number of a row, is from the tokens' interval of [0, 1) under the definition of cria_sample.
double distance_to_draw(const std::vector<float> &z, float temperature, int64_t top_k, double top_p,
                        double u, int32_t token) {
  std::vector<int32_t> order;
  for (size_t i = 0; i < z.size(); i++)
    if (std::isfinite(z[i])) order.push_back(int32_t(i));
  if (top_p < 1 || (top_k > 0 && top_k < int64_t(order.size())))
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return z[size_t(a)] > z[size_t(b)]; });
  if (top_k > 0) order.resize(std::min(order.size(), size_t(top_k)));
  double top = -INFINITY, total = 0, kept = 0, below = 0;
  for (int32_t t : order) top = std::fmax(top, double(z[size_t(t)]));
  auto weight = [&](int32_t t) {
    return std::exp((double(z[size_t(t)]) - top) / double(temperature));
  };
  for (int32_t t : order) total += weight(t);
  for (int32_t t : order)
    if (top_p == 1 || kept < top_p * total) kept += weight(t);
  for (int32_t t : order) {
    if (t == token)
      return std::fmax(0, std::fmax(below - u * kept, u * kept - below - weight(t))) / kept;
    below += weight(t);
    if (below >= kept) break;
  }
  return INFINITY;
}

const Register draws{
    "sampling draws the token at the uniform number of the row", [](Context &c) {
      // A float32 exponential of x <= 0 errs by (|x| + 2) eps, and weights beyond x = -30 are
      // too small to matter.
      const auto uniform = [](uint64_t key, uint64_t row) {
        return double((uint64_t(hash(key, 2 * row)) << 32 | hash(key, 2 * row + 1)) >> 11) *
               0x1p-53;
      };
      struct Setting {
        float temperature;
        int32_t top_k;
        float top_p;
      };
      for (int64_t v : {1, 2, 33, 700, 5001, 32000})
        for (const Setting &s : std::vector<Setting>{{1, 0, 1},
                                                     {0.7f, 40, 1},
                                                     {1.3f, 0, 0.9f},
                                                     {1, 300, 0.5f},
                                                     {1, 1000000, 0.99f},
                                                     {1e-6f, 0, 1}}) {
          const int64_t n = v > 1000 ? 1 : 4;
          const uint64_t key = uint64_t(v) << 33 | 5;
          Random random(uint64_t(v) + 11);
          std::vector<float> z = random.normals(n * v, 3);
          for (size_t i = 0; i < z.size(); i++)  // ties, 0 and -0
            if (i % 7 != 0) z[i] = std::round(z[i] * (i % 2 ? 2 : 50)) / (i % 2 ? 2 : 50);
          for (size_t i = 1; i < z.size(); i += 9) z[i] = i % 2 ? -INFINITY : NAN;
          for (int64_t r = 0; r < n; r++) z[size_t(r * v)] = -0.0f;
          Array<float> dz(c, z);
          Array<int32_t> tokens(c, n);
          c.ok(cria_sample(c.queue, n, v, dz, s.temperature, s.top_k, s.top_p, key, tokens),
               "sample");
          std::vector<int32_t> got = tokens.values();
          for (int64_t r = 0; r < n; r++) {
            std::vector<float> row(z.begin() + r * v, z.begin() + (r + 1) * v);
            double off = distance_to_draw(row, s.temperature, s.top_k, double(s.top_p),
                                          uniform(key, uint64_t(r)), got[size_t(r)]);
            c.checks++;
            if (!(off <= 64 * kEps))
              c.fail("v %lld, temperature %g, top_k %d, top_p %g, row %lld: token %d is off by %g",
                     (long long)v, double(s.temperature), s.top_k, double(s.top_p), (long long)r,
                     got[size_t(r)], off);
          }
        }
    }};

}  // namespace
}  // namespace conformance
