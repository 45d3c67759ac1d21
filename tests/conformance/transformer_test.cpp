// transformer_test.cpp: RMSNorm, RoPE, SwiGLU and residual add, forward and backward.
#include "oracle.h"

namespace conformance {
namespace {

const std::vector<std::pair<int64_t, int64_t>> kRows = {
    {0, 5},  {1, 1},  {2, 3},   {3, 7},   {5, 8},   {4, 15},   {7, 16},   {2, 17},  {3, 33},
    {5, 64}, {2, 65}, {3, 127}, {2, 400}, {130, 9}, {3, 3200}, {2, 8640}, {35, 64}, {17, 8}};

std::string shape(const char *name, std::pair<int64_t, int64_t> s) {
  return std::string(name) + " " + std::to_string(s.first) + "x" + std::to_string(s.second);
}

void rmsnorm_case(Context &context, int64_t t, int64_t c, bool accumulate) {
  Random random(uint64_t(t * 31 + c));
  const float eps = 1e-6f;
  std::vector<float> x = random.normals(t * c, 2), gain = random.normals(c),
                     dy = random.normals(t * c), dx0 = random.normals(t * c),
                     dgain0 = random.normals(c);
  Array<float> dev_x(context, x), dev_gain(context, gain), dev_dy(context, dy), y(context, t * c),
      r(context, t);
  context.ok(cria_rmsnorm(context.queue, t, c, eps, dev_x, dev_gain, y, r), "rmsnorm");
  Matrix want_y, want_r, bound_y, want_dx, bound_dx, want_dgain = widen(dgain0),
                                                     size_dgain = absolute(widen(dgain0));
  double f = sum_factor(c) + 8 * kEps;
  for (int64_t i = 0; i < t; i++) {
    double squares = 0, dot = 0, size_dot = 0;
    auto at = [&](int64_t j) { return size_t(i * c + j); };
    for (int64_t j = 0; j < c; j++) squares += double(x[at(j)]) * x[at(j)];
    double inv = 1 / std::sqrt(squares / double(c) + double(eps));
    want_r.push_back(inv);
    for (int64_t j = 0; j < c; j++) {
      double p = double(dy[at(j)]) * gain[size_t(j)] * x[at(j)];
      dot += p;
      size_dot += std::fabs(p);
    }
    for (int64_t j = 0; j < c; j++) {
      want_y.push_back(gain[size_t(j)] * double(x[at(j)]) * inv);
      bound_y.push_back(f * std::fabs(want_y.back()));
      double direct = inv * gain[size_t(j)] * dy[at(j)],
             through = inv * inv * inv * x[at(j)] / double(c);
      double start = accumulate ? double(dx0[at(j)]) : 0;
      want_dx.push_back(direct - through * dot + start);
      bound_dx.push_back(3 * f *
                         (std::fabs(direct) + std::fabs(through) * size_dot + std::fabs(start)));
      want_dgain[size_t(j)] += double(dy[at(j)]) * x[at(j)] * inv;
      size_dgain[size_t(j)] += std::fabs(double(dy[at(j)]) * x[at(j)] * inv);
    }
  }
  context.close("inv_rms", r.values(), want_r, scaled(absolute(want_r), f));
  context.close("y", y.values(), want_y, bound_y);
  Array<float> dx(context, dx0), dgain(context, dgain0);
  context.ok(
      cria_rmsnorm_bwd(context.queue, t, c, dev_x, dev_gain, r, dev_dy, accumulate, dx, dgain),
      "rmsnorm_bwd");
  context.close("dx", dx.values(), want_dx, bound_dx);
  context.close("dgain", dgain.values(), want_dgain, scaled(size_dgain, sum_factor(t + 2) + 2 * f));
  Array<float> alone(context, dx0);
  context.ok(
      cria_rmsnorm_bwd(context.queue, t, c, dev_x, dev_gain, r, dev_dy, accumulate, alone, nullptr),
      "rmsnorm_bwd without dgain");
  context.same("dx alone", alone.values(), dx.values());
}

void swiglu_case(Context &context, int64_t n) {
  Random random{uint64_t(n)};
  std::vector<float> gate = random.normals(n, 3), up = random.normals(n), dy = random.normals(n);
  for (int64_t i = 0; i < n && i < 4; i++)
    gate[size_t(i)] = std::vector<float>{100, -100, 1e-30f, -88}[size_t(i)];
  Array<float> g(context, gate), u(context, up), d(context, dy), y(context, n), dg(context, n),
      du(context, n);
  context.ok(cria_swiglu(context.queue, n, g, u, y), "swiglu");
  context.ok(cria_swiglu_bwd(context.queue, n, g, u, d, dg, du), "swiglu_bwd");
  Matrix want_y, want_dg, want_du, by, bg, bu;
  for (size_t i = 0; i < size_t(n); i++) {
    double z = gate[i], s = 1 / (1 + std::exp(-z)), silu = z * s, slope = s * (1 + z * (1 - s));
    want_y.push_back(silu * up[i]);
    want_du.push_back(silu * dy[i]);
    want_dg.push_back(slope * double(up[i]) * dy[i]);
    // exp of |z| <= 100 in float32: relative error about (|z| + 4) u; results below the normal range flush.
    double e = (8 + std::fabs(z)) * kEps;
    by.push_back(e * std::fabs(want_y.back()) + 1e-37);
    bu.push_back(e * std::fabs(want_du.back()) + 1e-37);
    bg.push_back(e * (s + std::fabs(z) * s * (1 - s) + std::fabs(slope)) *
                     std::fabs(double(up[i]) * dy[i]) +
                 1e-37);
  }
  context.close("y", y.values(), want_y, by);
  context.close("dgate", dg.values(), want_dg, bg);
  context.close("dup", du.values(), want_du, bu);
  Array<float> g2(context, gate), u2(context, up);
  context.ok(cria_swiglu_bwd(context.queue, n, g2, u2, d, g2, u2), "swiglu_bwd in place");
  context.same("dgate in place", g2.values(), dg.values());
  context.same("dup in place", u2.values(), du.values());
}

void rope_case(Context &context, int64_t t, int64_t heads, int64_t d, double base) {
  Random random(uint64_t(t * 7 + d));
  std::vector<float> x = random.normals(t * heads * d), frequencies;
  std::vector<int32_t> positions;
  for (int64_t i = 0; i < d / 2; i++)
    frequencies.push_back(float(std::pow(base, -2.0 * double(i) / double(d))));
  for (int64_t i = 0; i < t; i++) {
    positions.push_back(int32_t(i == 0 ? 0 : i == 2 ? INT32_MAX : random.below(8192)));
  }
  Array<float> dev_x(context, x), f(context, frequencies), y(context, t * heads * d),
      back(context, t * heads * d);
  Array<int32_t> p(context, positions);
  context.ok(cria_rope(context.queue, t, heads, d, p, f, 0, dev_x, y), "rope");
  context.ok(cria_rope(context.queue, t, heads, d, p, f, 1, y, back), "rope inverse");
  Matrix want(x.size()), bound(x.size());
  for (int64_t i = 0; i < t; i++)
    for (int64_t h = 0; h < heads; h++)
      for (int64_t j = 0; j < d / 2; j++) {
        size_t lo = size_t((i * heads + h) * d + j), hi = lo + size_t(d / 2);
        double angle = double(float(positions[size_t(i)]) * frequencies[size_t(j)]);
        want[lo] = x[lo] * std::cos(angle) - x[hi] * std::sin(angle);
        want[hi] = x[hi] * std::cos(angle) + x[lo] * std::sin(angle);
        // cosine and sine within 2 ulp, two products, one sum.
        bound[lo] = bound[hi] = 6 * kEps * (std::fabs(double(x[lo])) + std::fabs(double(x[hi])));
      }
  context.close("y", y.values(), want, bound);
  context.close("inverse of y", back.values(), widen(x), scaled(bound, 3));
  context.ok(cria_rope(context.queue, t, heads, d, p, f, 0, dev_x, dev_x), "rope in place");
  context.same("in place", dev_x.values(), y.values());
}

void add_case(Context &context, int64_t n) {
  Random random(9);
  std::vector<float> a = random.normals(n), b = random.normals(n), want = a;
  for (size_t i = 0; i < want.size(); i++) want[i] += b[i];
  Array<float> da(context, a), db(context, b), y(context, n);
  context.ok(cria_add(context.queue, n, da, db, y), "add");
  context.same("y", y.values(), want);
  context.ok(cria_add(context.queue, n, da, db, da), "add in place");
  context.same("in place", da.values(), want);
}

struct Registration {
  Registration() {
    for (auto s : kRows) {
      const int64_t n = s.first * s.second;
      const auto both = [&](const char *name, Case run) {
        Register(shape(name, s), run);
        if (s.second % 4 == 0) Register(shape(name, s) + ", aligned", aligned(run));
      };
      both("rmsnorm", [=](Context &c) { rmsnorm_case(c, s.first, s.second, false); });
      both("rmsnorm adding", [=](Context &c) { rmsnorm_case(c, s.first, s.second, true); });
      both("swiglu", [=](Context &c) { swiglu_case(c, n); });
      both("add", [=](Context &c) { add_case(c, n); });
    }
    struct Rope {
      int64_t t, heads, d;
      double base;
    };
    for (Rope r : std::vector<Rope>{{0, 2, 8, 1e4},
                                    {1, 1, 2, 1e4},
                                    {3, 2, 8, 1e4},
                                    {5, 3, 10, 1e4},
                                    {7, 4, 64, 1e5},
                                    {9, 32, 100, 1e4},
                                    {4, 1, 128, 5e5},
                                    {3, 72, 64, 1e4},
                                    {2, 3, 2050, 1e4}}) {
      const std::string name =
          "rope " + std::to_string(r.t) + "x" + std::to_string(r.heads) + "x" + std::to_string(r.d);
      const auto run = [=](Context &c) { rope_case(c, r.t, r.heads, r.d, r.base); };
      Register(name, run);
      if (r.d % 4 == 0) Register(name + ", aligned", aligned(run));
    }
  }
} registration;

const Register oracles{
    "transformer oracles against central differences", [](Context &context) {
      // RMSNorm and SwiGLU with the formulas used above.
      Random random(17);
      const int64_t c = 5;
      std::vector<double> x, gain, dy, gradient;
      for (int64_t i = 0; i < c; i++) {
        x.push_back(random.normal());
        gain.push_back(random.normal());
        dy.push_back(random.normal());
      }
      auto inverse = [&] {
        double s = 0;
        for (double v : x) s += v * v;
        return 1 / std::sqrt(s / double(c) + 1e-6);
      };
      auto f = [&] {
        double r = inverse(), sum = 0;
        for (size_t i = 0; i < x.size(); i++) sum += dy[i] * gain[i] * x[i] * r;
        return sum;
      };
      double r = inverse(), dot = 0;
      for (size_t i = 0; i < x.size(); i++) dot += dy[i] * gain[i] * x[i];
      for (size_t i = 0; i < x.size(); i++)
        gradient.push_back(r * gain[i] * dy[i] - r * r * r * x[i] / double(c) * dot);
      check_oracle(context, "rmsnorm", x, f, gradient);
      std::vector<double> z = {-3, -0.5, 0, 0.7, 4}, slopes;
      for (double v : z) {
        double s = 1 / (1 + std::exp(-v));
        slopes.push_back(s * (1 + v * (1 - s)));
      }
      check_oracle(
          context, "silu", z,
          [&] {
            double sum = 0;
            for (double v : z) sum += v / (1 + std::exp(-v));
            return sum;
          },
          slopes);
    }};

const Register refusals{
    "transformer operations refuse bad arguments", [](Context &context) {
      Array<float> x(context, std::vector<float>(64, 1.0f));
      Array<int32_t> ids(context, std::vector<int32_t>{0, 1, 9, 2});
      Array<int32_t> negative(context, std::vector<int32_t>{0, -1});
      context.refused(cria_embedding(context.queue, 4, 5, 4, CRIA_F32, x, ids, x),
                      CRIA_INVALID_ARGUMENT, {"embedding", "9", "2"});
      context.refused(cria_embedding(context.queue, 2, 5, 4, CRIA_F32, x, negative, x),
                      CRIA_INVALID_ARGUMENT, {"embedding", "-1"});
      context.refused(cria_rmsnorm(context.queue, 2, 4, -1.0f, x, x, x, nullptr),
                      CRIA_INVALID_ARGUMENT, {"rmsnorm", "eps"});
      context.refused(cria_rope(context.queue, 1, 2, 7, ids, x, 0, x, x), CRIA_INVALID_ARGUMENT,
                      {"rope", "7"});
      if (!context.is_cpu()) {
        context.refused(cria_rope(context.queue, 1, 1, 4098, ids, x, 0, x, x), CRIA_UNSUPPORTED,
                        {"rope", "4098"});
      }
      context.refused(cria_swiglu(context.queue, -2, x, x, x), CRIA_INVALID_ARGUMENT,
                      {"swiglu", "-2"});
      context.refused(cria_add(context.queue, 3, nullptr, x, x), CRIA_INVALID_ARGUMENT, {"add"});
      context.refused(cria_add(nullptr, 3, x, x, x), CRIA_INVALID_ARGUMENT, {"add", "queue"});
    }};

}  // namespace
}  // namespace conformance
