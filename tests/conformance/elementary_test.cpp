// elementary_test.cpp: element-wise operations, softmax and reductions.
#include "oracle.h"

namespace conformance {
namespace {

const std::vector<int64_t> kSizes = {0,  1,  2,  3,  7,  8,   9,   15,   16,   17,
                                     31, 33, 63, 64, 65, 127, 255, 1000, 70001};

struct Unary {
  cria_unary_op op;
  const char *name;
  double (*f)(double);
  double (*slope)(double);
  bool positive;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

const Unary kUnary[] = {
    {CRIA_NEG, "neg", [](double x) { return -x; }, [](double) { return -1.0; }, false},
    {CRIA_EXP, "exp", [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); },
     false},
    {CRIA_LOG, "log", [](double x) { return std::log(x); }, [](double x) { return 1 / x; }, true},
    {CRIA_SQRT, "sqrt", [](double x) { return std::sqrt(x); },
     [](double x) { return 0.5 / std::sqrt(x); }, true},
    {CRIA_SQUARE, "square", [](double x) { return x * x; }, [](double x) { return 2 * x; }, false},
    {CRIA_SIGMOID, "sigmoid", sigmoid, [](double x) { return sigmoid(x) * sigmoid(-x); }, false},
    {CRIA_LOG_SIGMOID, "log_sigmoid",
     [](double x) { return std::fmin(x, 0) - std::log1p(std::exp(-std::fabs(x))); },
     [](double x) { return sigmoid(-x); }, false},
    {CRIA_SILU, "silu", [](double x) { return x * sigmoid(x); },
     [](double x) { return sigmoid(x) * (1 + x * sigmoid(-x)); }, false},
    {CRIA_RELU, "relu", [](double x) { return x > 0 ? x : 0; },
     [](double x) { return x > 0 ? 1.0 : 0.0; }, false},
    {CRIA_TANH, "tanh", [](double x) { return std::tanh(x); },
     [](double x) { return 1 - std::tanh(x) * std::tanh(x); }, false},
    {CRIA_ABS, "abs", [](double x) { return std::fabs(x); },
     [](double x) { return x > 0   ? 1.0
                           : x < 0 ? -1.0
                                   : 0.0; }, false},
};

void unary_case(Context &context, const Unary &u, int64_t n) {
  Random random(uint64_t(n + 1));
  std::vector<float> x = random.normals(n, 3), dy = random.normals(n);
  if (u.positive)
    for (auto &v : x) v = std::fabs(v) + 1e-3f;
  for (size_t i = 0; i < size_t(n) && i < 4 && !u.positive; i++)
    x[i] = std::vector<float>{30, -30, 1e-6f, -2e-3f}[i];
  Array<float> dev_x(context, x), y(context, n), dev_dy(context, dy), dx(context, n);
  context.ok(cria_unary(context.queue, u.op, n, dev_x, y), u.name);
  context.ok(cria_unary_bwd(context.queue, u.op, n, dev_x, y, dev_dy, dx), u.name);
  Matrix want, bound, want_dx, bound_dx;
  for (size_t i = 0; i < size_t(n); i++) {
    want.push_back(u.f(x[i]));
    // A handful of roundings relative to the value, and the argument's own rounding inside exp and log.
    bound.push_back(
        8 * kEps *
            (std::fabs(want.back()) * (1 + (u.op == CRIA_EXP ? std::fabs(double(x[i])) : 0)) +
             (u.op == CRIA_LOG || u.op == CRIA_TANH ? 1 : 0)) +
        1e-37);
    double slope = u.slope(x[i]), magnitude = std::fabs(slope);
    // The derivative of silu is s(x) + x s(x) s(-x), two terms that cancel near x = -1.28.
    if (u.op == CRIA_SILU) magnitude = sigmoid(x[i]) * (1 + std::fabs(x[i]) * sigmoid(-x[i]));
    if (u.op == CRIA_TANH || u.op == CRIA_SIGMOID) magnitude += 1;
    want_dx.push_back(slope * dy[i]);
    bound_dx.push_back(
        16 * kEps * magnitude * (1 + std::fabs(double(x[i]))) * std::fabs(double(dy[i])) + 1e-37);
  }
  context.close("y", y.values(), want, bound);
  context.close("dx", dx.values(), want_dx, bound_dx);
  context.ok(cria_unary(context.queue, u.op, n, dev_x, dev_x), "in place");
  context.same("in place", dev_x.values(), y.values());
}

void softmax_case(Context &context, int64_t rows, int64_t cols) {
  Random random(uint64_t(rows * 5 + cols));
  std::vector<float> x = random.normals(rows * cols, 4), dy = random.normals(rows * cols);
  if (rows * cols > 2) x[1] = 80;
  for (int32_t log : {0, 1}) {
    Array<float> dx_(context, x), y(context, rows * cols), ddy(context, dy),
        dx(context, rows * cols);
    context.ok(cria_softmax(context.queue, rows, cols, log, dx_, y), "softmax");
    context.ok(cria_softmax_bwd(context.queue, rows, cols, log, y, ddy, dx), "softmax_bwd");
    Matrix want, bound, want_dx, bound_dx;
    for (int64_t r = 0; r < rows; r++) {
      double top = -INFINITY, sum = 0, dot = 0, size = 0;
      auto at = [&](int64_t c) { return size_t(r * cols + c); };
      for (int64_t c = 0; c < cols; c++) top = std::fmax(top, double(x[at(c)]));
      for (int64_t c = 0; c < cols; c++) sum += std::exp(x[at(c)] - top);
      double lse = top + std::log(sum);
      for (int64_t c = 0; c < cols; c++) {
        double p = std::exp(x[at(c)] - lse), g = dy[at(c)];
        dot += log ? g : g * p;
        size += log ? std::fabs(g) : std::fabs(g) * p;
      }
      double f = sum_factor(cols) + 16 * kEps * (1 + std::fabs(top) + 40);
      for (int64_t c = 0; c < cols; c++) {
        double p = std::exp(x[at(c)] - lse), g = dy[at(c)];
        want.push_back(log ? x[at(c)] - lse : p);
        bound.push_back(log ? f : f * p + 1e-37);
        want_dx.push_back(log ? g - p * dot : p * (g - dot));
        bound_dx.push_back(f * (log ? std::fabs(g) + p * size : p * (std::fabs(g) + size)) + 1e-37);
      }
    }
    context.close(log ? "log softmax" : "softmax", y.values(), want, bound);
    context.close(log ? "dx of log" : "dx", dx.values(), want_dx, bound_dx);
  }
}

void reduce_case(Context &context, int64_t outer, int64_t n, int64_t inner) {
  Random random(uint64_t(outer + n * 3 + inner * 7));
  std::vector<float> x = random.normals(outer * n * inner);
  Array<float> dx(context, x);
  for (int op = CRIA_REDUCE_SUM; op <= CRIA_REDUCE_MAX; op++) {
    Array<float> y(context, outer * inner);
    context.ok(cria_reduce(context.queue, op, outer, n, inner, dx, y), "reduce");
    Matrix want, bound;
    for (int64_t o = 0; o < outer; o++)
      for (int64_t i = 0; i < inner; i++) {
        double sum = 0, top = -INFINITY;
        for (int64_t j = 0; j < n; j++) {
          double v = x[size_t((o * n + j) * inner + i)];
          sum += v;
          top = std::fmax(top, v);
        }
        want.push_back(op == CRIA_REDUCE_SUM    ? sum
                       : op == CRIA_REDUCE_MEAN ? sum / double(n)
                                                : top);
        bound.push_back(op == CRIA_REDUCE_MAX ? 0
                                              : kEps * std::fabs(want.back()) * 1.01 +
                                                    1e-12);  // one rounding of a float64 sum
      }
    context.close("y", y.values(), want, bound);
  }
}

void simple_case(Context &c, int64_t n) {
  Random random(uint64_t(n) + 2);
  std::vector<float> x = random.normals(n), y = random.normals(n);
  for (size_t i = 0; i < size_t(n) && i < 5; i++)
    x[i] = std::vector<float>{INFINITY, -0.0f, 3.3895314e38f, 1.00390625f, 1e-40f}[i];
  Array<float> dx(c, x), wide(c, n), filled(c, n);
  Array<uint16_t> half(c, n);
  c.ok(cria_cast(c.queue, n, CRIA_F32, dx, CRIA_BF16, half), "cast to bf16");
  c.same("bf16", half.values(), bf16_of(x));
  c.ok(cria_cast(c.queue, n, CRIA_BF16, half, CRIA_F32, wide), "cast to f32");
  c.same("f32", wide.values(), rounded(x));
  c.ok(cria_fill(c.queue, n, 2.5f, filled), "fill");
  c.same("filled", filled.values(), std::vector<float>(size_t(n), 2.5f));
  std::vector<float> finite = random.normals(n);
  Array<float> df(c, finite), dy(c, y);
  c.ok(cria_axpby(c.queue, n, 2.0f, df, -0.5f, dy), "axpby");
  Matrix want, bound;
  for (size_t i = 0; i < size_t(n); i++) {
    want.push_back(2.0 * finite[i] - 0.5 * y[i]);
    bound.push_back(3 * kEps * (2 * std::fabs(double(finite[i])) + 0.5 * std::fabs(double(y[i]))));
  }
  c.close("axpby", dy.values(), want, bound);
  Array<float> unread(c, n);  // holds NaN: beta 0 must not read it
  c.ok(cria_axpby(c.queue, n, 1.0f, df, 0.0f, unread), "axpby with beta 0");
  c.same("beta 0", unread.values(), finite);
  double sum = NAN, expected = 0;
  for (float v : finite) expected += double(v) * v;
  c.ok(cria_sum_squares(c.queue, n, df, &sum), "sum_squares");
  c.checks++;
  if (!(std::fabs(sum - expected) <= 1e-12 * (expected + 1)))
    c.fail("sum_squares: %.17g, expected %.17g", sum, expected);
}

// Registers the case, and again with aligned buffers where the operation may then take vectors.
void both(const std::string &name, int64_t n, const Case &run) {
  Register(name, run);
  if (n % 4 == 0) Register(name + ", aligned", aligned(run));
}

struct Registration {
  Registration() {
    for (const Unary &u : kUnary)
      for (int64_t n : kSizes)
        both(std::string("unary ") + u.name + " of " + std::to_string(n), n,
             [u, n](Context &c) { unary_case(c, u, n); });
    for (auto [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
             {0, 3}, {1, 1}, {3, 2}, {5, 17}, {2, 64}, {3, 1000}, {200, 7}, {2, 32000}})
      Register("softmax " + std::to_string(rows) + "x" + std::to_string(cols),
               [r = rows, k = cols](Context &c) { softmax_case(c, r, k); });
    for (auto s : std::vector<std::vector<int64_t>>{{1, 1, 1},
                                                    {3, 7, 1},
                                                    {1, 1000, 1},
                                                    {5, 3, 9},
                                                    {0, 4, 2},
                                                    {2, 129, 65},
                                                    {70, 33, 1},
                                                    {2, 40000, 1},
                                                    {3, 400, 130},
                                                    {1, 4000, 5}})
      Register("reduce " + std::to_string(s[0]) + "x" + std::to_string(s[1]) + "x" +
                   std::to_string(s[2]),
               [s](Context &c) { reduce_case(c, s[0], s[1], s[2]); });
    for (int64_t n : kSizes)
      both("fill, cast, axpby, scale of " + std::to_string(n), n,
           [n](Context &c) { simple_case(c, n); });
  }
} registration;

const Register special_values{
    "unary functions of infinities and NaN", [](Context &c) {
      const float inf = INFINITY;
      const std::vector<float> x = {NAN, inf, -inf, 0, -1};
      const std::vector<std::pair<cria_unary_op, Matrix>> expected = {
          {CRIA_NEG, {NAN, -inf, inf, 0, 1}},
          {CRIA_EXP, {NAN, inf, 0, 1, 0.36787944117144233}},
          {CRIA_LOG, {NAN, inf, NAN, -inf, NAN}},
          {CRIA_SQRT, {NAN, inf, NAN, 0, NAN}},
          {CRIA_SQUARE, {NAN, inf, inf, 0, 1}},
          {CRIA_SIGMOID, {NAN, 1, 0, 0.5, 0.2689414213699951}},
          {CRIA_LOG_SIGMOID, {NAN, 0, -inf, -0.6931471805599453, -1.3132616875182228}},
          {CRIA_RELU, {NAN, inf, 0, 0, 0}},
          {CRIA_TANH, {NAN, 1, -1, 0, -0.7615941559557649}},
          {CRIA_ABS, {NAN, inf, inf, 0, 1}}};
      Array<float> dx(c, x), y(c, int64_t(x.size()));
      for (const auto &[op, want] : expected) {
        c.ok(cria_unary(c.queue, op, int64_t(x.size()), dx, y), "unary");
        c.close(("op " + std::to_string(op)).c_str(), y.values(), want, 8 * kEps);
      }
    }};

void f16_case(Context &c) {
  std::vector<uint16_t> half;
  std::vector<float> want;
  for (int bits = 0; bits < 65536; bits++) {
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    if (exponent == 31 && mantissa) continue;
    half.push_back(uint16_t(bits));
    double v = exponent == 31 ? INFINITY
               : exponent     ? std::ldexp(1024.0 + mantissa, exponent - 25)
                              : std::ldexp(double(mantissa), -24);
    want.push_back(float(bits >> 15 ? -v : v));
  }
  half.resize(half.size() / 4 * 4);  // for vectors
  want.resize(half.size());
  const auto n = int64_t(half.size());
  Array<uint16_t> from(c, half), narrow(c, n);
  Array<float> wide(c, n);
  c.ok(cria_cast(c.queue, n, CRIA_F16, from, CRIA_F32, wide), "cast to f32");
  c.same("f32", wide.values(), want);
  c.ok(cria_cast(c.queue, n, CRIA_F16, from, CRIA_BF16, narrow), "cast to bf16");
  c.same("bf16", narrow.values(), bf16_of(want));
}

const Register halves{"cast from f16, every number", f16_case};
const Register aligned_halves{"cast from f16, every number, aligned", aligned(f16_case)};

const Register nan_casts{
    "casts keep NaN and copy equal types", [](Context &c) {
      const std::vector<float> x = {NAN, -NAN, 1.5f};
      const std::vector<uint16_t> half = {0x7E00, 0xFC01, 0x3C00};  // of f16
      Array<float> from(c, x), to(c, 3);
      Array<uint16_t> f16(c, half), bf16(c, 3), copy(c, 3);
      c.ok(cria_cast(c.queue, 3, CRIA_F32, from, CRIA_BF16, bf16), "f32 to bf16");
      c.ok(cria_cast(c.queue, 3, CRIA_BF16, bf16, CRIA_F32, to), "bf16 to f32");
      c.close("NaN through bf16", to.values(), {NAN, NAN, 1.5}, 0);
      c.ok(cria_cast(c.queue, 3, CRIA_BF16, bf16, CRIA_BF16, copy), "bf16 to bf16");
      c.same("bf16 copied", copy.values(), bf16.values());
      c.ok(cria_cast(c.queue, 3, CRIA_F16, f16, CRIA_F32, to), "f16 to f32");
      c.close("NaN from f16", to.values(), {NAN, NAN, 1}, 0);
      c.ok(cria_cast(c.queue, 3, CRIA_F16, f16, CRIA_BF16, bf16), "f16 to bf16");
      c.ok(cria_cast(c.queue, 3, CRIA_BF16, bf16, CRIA_F32, to), "bf16 to f32");
      c.close("NaN from f16 in bf16", to.values(), {NAN, NAN, 1}, 0);
      c.ok(cria_cast(c.queue, 3, CRIA_F32, from, CRIA_F32, to), "f32 to f32");
      c.close("f32 copied", to.values(), widen(x), 0);
    }};

const Register largest_nan{
    "reduce: the maximum of numbers and a NaN is NaN", [](Context &c) {
      std::vector<float> x(5 * 600, -INFINITY);
      x[3 * 600 + 577] = NAN;
      x[4 * 600 + 1] = 2;
      Array<float> dx(c, x), by_row(c, 5), by_column(c, 600);
      c.ok(cria_reduce(c.queue, CRIA_REDUCE_MAX, 5, 600, 1, dx, by_row), "reduce");
      c.close("rows", by_row.values(), {-INFINITY, -INFINITY, -INFINITY, NAN, 2}, 0);
      c.ok(cria_reduce(c.queue, CRIA_REDUCE_MAX, 1, 5, 600, dx, by_column), "reduce");
      Matrix want(600, -INFINITY);
      want[577] = NAN;
      want[1] = 2;
      c.close("columns", by_column.values(), want, 0);
    }};

}  // namespace
}  // namespace conformance
