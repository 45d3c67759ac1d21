// linear_test.cpp: dense and NF4 linear layers with LoRA, forward and backward, and the plain matrix product.
//
// Two kinds of input: small integers, whose sums are exact in float32 and bf16, so that one lost or doubled term
// anywhere is seen (bound 0); and normal numbers against the bound of harness.h. Where a device may round inputs to
// bf16, the result must match the float64 product of the rounded or of the exact inputs, as a whole.
#include <cstring>

#include "oracle.h"

namespace conformance {
namespace {

enum class Kind { f32, bf16, nf4 };
const char *name_of(Kind kind) {
  return kind == Kind::f32 ? "f32" : kind == Kind::bf16 ? "bf16" : "nf4";
}

// A weight matrix on the device together with its float values.
struct Weight {
  Kind kind;
  std::vector<float> values;
  std::unique_ptr<Array<float>> f32;
  std::unique_ptr<Array<uint16_t>> bf16;
  cria_nf4 *nf4 = nullptr;

  Weight(Context &context, Kind kind_, int64_t n, int64_t k, bool integers, Random &random,
         int64_t block = 64)
      : kind(kind_) {
    if (kind == Kind::nf4) {
      make_nf4(context, n, k, block, integers, random);
      return;
    }
    values = integers ? random.integers(n * k, 3) : random.normals(n * k, 0.5);
    if (kind == Kind::f32) {
      f32 = std::make_unique<Array<float>>(context, values);
    } else {
      values = rounded(values);
      bf16 = std::make_unique<Array<uint16_t>>(context, bf16_of(values));
    }
  }
  ~Weight() { cria_nf4_free(nf4); }

  const void *address() const { return f32 ? f32->address() : bf16->address(); }

 private:
  // Integers come from a code map of small integers and unit scales; others are quantised and read back.
  void make_nf4(Context &context, int64_t n, int64_t k, int64_t block, bool integers,
                Random &random) {
    values.assign(static_cast<size_t>(n * k), 0);
    if (integers) {
      int64_t blocks = (n * k + block - 1) / block;
      std::vector<float> map(16), scales(static_cast<size_t>(blocks));
      for (int i = 0; i < 16; i++) map[size_t(i)] = float(i - 7) / 2;
      for (auto &s : scales) s = float(1 << random.below(2));
      std::vector<uint8_t> codes(static_cast<size_t>((n * k + 1) / 2));
      for (auto &c : codes) c = uint8_t(random.next());
      for (int64_t i = 0; i < n * k; i++) {
        int code = i % 2 ? codes[size_t(i / 2)] & 15 : codes[size_t(i / 2)] >> 4;
        values[size_t(i)] = map[size_t(code)] * scales[size_t(i / block)];
      }
      context.ok(cria_nf4_import(context.queue, n, k, block, codes.data(), map.data(),
                                 scales.data(), nullptr, 0, nullptr, nullptr, 0, &nf4),
                 "nf4_import");
    } else {
      Array<float> source(context, random.normals(n * k, 0.5));
      context.ok(cria_nf4_quantize(context.queue, n, k, block, 1, CRIA_F32, source, &nf4),
                 "nf4_quantize");
      Array<float> back(context, n * k);
      context.ok(cria_nf4_dequantize(context.queue, nf4, 0, n, CRIA_F32, back), "nf4_dequantize");
      values = back.values();
    }
  }
};

// close() against the product with exact inputs or, where allowed, with inputs rounded to bf16.
void close_either(Context &context, const char *what, bool may_round, const std::vector<float> &got,
                  const Matrix &exact, const Matrix &rounded_inputs, const Matrix &bound) {
  if (may_round) {
    bool all = got.size() == rounded_inputs.size();
    for (size_t i = 0; all && i < got.size(); i++)
      all = std::fabs(double(got[i]) - rounded_inputs[i]) <= bound[i];
    if (all) {
      context.checks++;
      return;
    }
  }
  context.close(what, got, exact, bound);
}

struct Shape {
  int64_t m, n, k, rank;
  float dropout;
  int64_t block = 64;  // of NF4 weights
};

void linear_case(Context &context, Kind kind, Shape s, bool integers, bool accumulate) {
  Random random(uint64_t(s.m * 1000003 + s.n * 1009 + s.k * 31 + s.rank));
  // Shapes whose exact sums would leave the integers that float32 holds use normals.
  Weight w(context, kind, s.n, s.k, integers, random, s.block);
  auto draw = [&](int64_t n, int limit) {
    return integers ? random.integers(n, limit) : random.normals(n);
  };
  std::vector<float> x = draw(s.m * s.k, 2), a = draw(s.rank * s.k, 1), b = draw(s.n * s.rank, 1);
  std::vector<float> dy = draw(s.m * s.n, 2);
  std::vector<float> dx0 = draw(s.m * s.k, 2), da0 = draw(s.rank * s.k, 2),
                     db0 = draw(s.n * s.rank, 2), dw0 = draw(s.n * s.k, 2);
  const float scale = integers ? 0.5f : 1.7f;
  const float p = s.dropout;
  const uint64_t key = 0xC0FFEE1234567ull;
  bool may_round = kind != Kind::f32;

  Array<float> dev_x(context, x), dev_a(context, a), dev_b(context, b), dev_dy(context, dy);
  Array<float> t(context, s.m * s.rank), y(context, s.m * s.n);
  if (kind == Kind::nf4) {
    context.ok(cria_nf4_linear(context.queue, w.nf4, s.m, dev_x, s.rank,
                               s.rank ? dev_a.get() : nullptr, s.rank ? dev_b.get() : nullptr,
                               scale, p, key, s.rank ? t.get() : nullptr, y),
               "nf4_linear");
  } else {
    context.ok(
        cria_linear(context.queue, s.m, s.n, s.k, kind == Kind::f32 ? CRIA_F32 : CRIA_BF16,
                    w.address(), dev_x, s.rank, s.rank ? dev_a.get() : nullptr,
                    s.rank ? dev_b.get() : nullptr, scale, p, key, s.rank ? t.get() : nullptr, y),
        "linear");
  }

  Matrix mask = dropout_mask(key, s.m * s.k, p);
  Matrix wide_x = widen(x), wide_w = widen(w.values), wide_a = widen(a), wide_b = widen(b),
         wide_dy = widen(dy);
  Matrix dropped = times(wide_x, mask);
  Matrix size_t_, size_y, size_lora;
  Matrix want_t = multiply_transposed(dropped, wide_a, s.m, s.rank, s.k, &size_t_);
  Matrix base = multiply_transposed(wide_x, wide_w, s.m, s.n, s.k, &size_y);
  Matrix branch = scaled(multiply_transposed(want_t, wide_b, s.m, s.n, s.rank), scale);
  Matrix size_branch =
      scaled(multiply_transposed(absolute(size_t_), absolute(wide_b), s.m, s.n, s.rank), scale);
  Matrix want_y = sum_of(base, branch);
  Matrix rounded_y = sum_of(multiply_transposed(widen(rounded(x)), wide_w, s.m, s.n, s.k), branch);
  double exact = integers && p == 0 ? 0 : 1;
  double f = exact * sum_factor(s.k + s.rank + 2);
  if (s.rank) context.close("t", t.values(), want_t, scaled(size_t_, exact * sum_factor(s.k + 2)));
  Matrix bound_y = sum_of(scaled(size_y, f), scaled(size_branch, 2 * f));
  close_either(context, "y", may_round, y.values(), want_y, rounded_y, bound_y);

  // Backward. u = scale dy B.
  Matrix bt = transpose(wide_b, s.n, s.rank), wt = transpose(wide_w, s.n, s.k),
         at = transpose(wide_a, s.rank, s.k);
  Matrix size_u, size_dx;
  Matrix u = scaled(multiply_transposed(wide_dy, bt, s.m, s.rank, s.n, &size_u), scale);
  size_u = scaled(size_u, scale);
  Matrix dx_base = multiply_transposed(wide_dy, wt, s.m, s.k, s.n, &size_dx);
  Matrix dx_rounded = multiply_transposed(widen(rounded(dy)), wt, s.m, s.k, s.n);
  Matrix dx_branch = times(multiply_transposed(u, at, s.m, s.k, s.rank), mask);
  Matrix size_dxb = times(multiply_transposed(size_u, absolute(at), s.m, s.k, s.rank), mask);
  Matrix start = accumulate ? widen(dx0) : Matrix(dx0.size(), 0.0);
  Matrix want_dx = sum_of(sum_of(dx_base, dx_branch), start);
  Matrix want_dx_rounded = sum_of(sum_of(dx_rounded, dx_branch), start);
  double g = exact * sum_factor(s.n + s.rank + 3);
  Matrix bound_dx =
      sum_of(sum_of(scaled(size_dx, g), scaled(size_dxb, 2 * g)), scaled(absolute(start), 2 * g));

  Matrix ut = transpose(u, s.m, s.rank), xt = transpose(dropped, s.m, s.k),
         plain_xt = transpose(wide_x, s.m, s.k);
  Matrix dyt = transpose(wide_dy, s.m, s.n), tt = transpose(want_t, s.m, s.rank);
  Matrix want_da = multiply_transposed(ut, xt, s.rank, s.k, s.m);
  Matrix size_da =
      multiply_transposed(transpose(size_u, s.m, s.rank), absolute(xt), s.rank, s.k, s.m);
  Matrix want_db = scaled(multiply_transposed(dyt, tt, s.n, s.rank, s.m), scale);
  Matrix size_db = scaled(
      multiply_transposed(absolute(dyt), transpose(size_t_, s.m, s.rank), s.n, s.rank, s.m), scale);
  Matrix size_dw;
  Matrix want_dw = multiply_transposed(dyt, plain_xt, s.n, s.k, s.m, &size_dw);

  Array<float> dx(context, dx0), da(context, da0), db(context, db0), dw(context, dw0);
  float *dev_da = s.rank ? da.get() : nullptr, *dev_db = s.rank ? db.get() : nullptr;
  const float *pa = s.rank ? dev_a.get() : nullptr, *pb = s.rank ? dev_b.get() : nullptr,
              *pt = s.rank ? t.get() : nullptr;
  if (kind == Kind::nf4) {
    context.ok(cria_nf4_linear_bwd(context.queue, w.nf4, s.m, dev_x, s.rank, pa, pb, scale, p, key,
                                   pt, dev_dy, accumulate, dx, dev_da, dev_db),
               "nf4_linear_bwd");
  } else {
    context.ok(
        cria_linear_bwd(context.queue, s.m, s.n, s.k, kind == Kind::f32 ? CRIA_F32 : CRIA_BF16,
                        w.address(), dev_x, s.rank, pa, pb, scale, p, key, pt, dev_dy, accumulate,
                        dx, dw, dev_da, dev_db),
        "linear_bwd");
    Matrix rounded_dw = multiply_transposed(transpose(widen(rounded(dy)), s.m, s.n),
                                            transpose(widen(rounded(x)), s.m, s.k), s.n, s.k, s.m);
    close_either(context, "dw", may_round, dw.values(), sum_of(want_dw, widen(dw0)),
                 sum_of(rounded_dw, widen(dw0)),
                 sum_of(scaled(size_dw, exact * sum_factor(s.m + 3)),
                        scaled(absolute(widen(dw0)), exact * 2 * kEps)));
  }
  close_either(context, "dx", may_round, dx.values(), want_dx, want_dx_rounded, bound_dx);
  if (s.rank) {
    double ha = exact * 2 * sum_factor(s.m + s.n + 4), hb = exact * 2 * sum_factor(s.m + s.k + 4);
    context.close("da", da.values(), sum_of(want_da, widen(da0)),
                  sum_of(scaled(size_da, ha), scaled(absolute(widen(da0)), ha)));
    context.close("db", db.values(), sum_of(want_db, widen(db0)),
                  sum_of(scaled(size_db, hb), scaled(absolute(widen(db0)), hb)));
  }

  // What is not asked for is not needed: dx alone, without x and t.
  Array<float> alone(context, s.m * s.k);
  if (kind == Kind::nf4) {
    context.ok(cria_nf4_linear_bwd(context.queue, w.nf4, s.m, nullptr, s.rank, pa, pb, scale, p,
                                   key, nullptr, dev_dy, 0, alone, nullptr, nullptr),
               "nf4_linear_bwd, dx only");
  } else {
    context.ok(
        cria_linear_bwd(context.queue, s.m, s.n, s.k, kind == Kind::f32 ? CRIA_F32 : CRIA_BF16,
                        w.address(), nullptr, s.rank, pa, pb, scale, p, key, nullptr, dev_dy, 0,
                        alone, nullptr, nullptr, nullptr),
        "linear_bwd, dx only");
  }
  if (!accumulate) context.same("dx alone", alone.values(), dx.values());
}

const std::vector<Shape> kShapes = {
    {0, 5, 7, 0, 0},     {3, 0, 7, 2, 0},       {1, 1, 1, 1, 0},       {1, 1, 64, 0, 0},
    {2, 3, 5, 0, 0},     {7, 13, 11, 3, 0},     {1, 64, 64, 4, 0},     {6, 64, 64, 0, 0},
    {5, 63, 65, 1, 0},   {13, 127, 129, 16, 0}, {17, 65, 172, 8, 0},   {9, 200, 200, 4, 0},
    {31, 96, 400, 2, 0}, {3, 31, 1080, 5, 0},   {64, 64, 128, 16, 0},  {67, 130, 320, 7, 0},
    {37, 17, 61, 3, 0},  {1, 3200, 64, 2, 0},   {2, 64, 3200, 16, 0},  {3, 8640, 64, 1, 0},
    {4, 33, 8640, 2, 0}, {8, 128, 192, 8, 0},   {96, 70, 256, 64, 0},  {130, 48, 192, 16, 0},
    {11, 29, 131, 0, 0}, {300, 20, 72, 4, 0},   {1100, 130, 64, 0, 0},
};
// Blocks of NF4 other than the usual: shorter than a run of the kernels, longer than a row, straddling rows.
const std::vector<Shape> kBlockShapes = {
    {3, 40, 96, 4, 0, 32},
    {40, 33, 96, 4, 0, 32},
    {5, 70, 192, 4, 0, 128},
    {40, 33, 192, 4, 0, 128},
    {35, 130, 256, 0, 0, 4096},
    {4, 9, 100, 2, 0, 1024},
    // The usual, so many runs deep that pipelines of the kernels come round.
    {40, 20, 832, 4, 0},
    {140, 136, 576, 17, 0},
    {290, 9, 128, 3, 0},
};
// With every tensor on a vector boundary.
const std::vector<Shape> kAlignedShapes = {
    {5, 64, 128, 4, 0}, {67, 130, 320, 8, 0}, {130, 48, 192, 16, 0},
    {2, 33, 65, 8, 0},  {300, 20, 72, 4, 0},
};

struct Registration {
  Registration() {
    for (Kind kind : {Kind::f32, Kind::bf16, Kind::nf4})
      for (const Shape &s : kShapes) {
        std::string label = std::string(name_of(kind)) + " linear " + std::to_string(s.m) + "x" +
                            std::to_string(s.n) + "x" + std::to_string(s.k) + " rank " +
                            std::to_string(s.rank);
        bool integers = s.k * s.n <= 300000 && s.rank <= 16;
        if (integers)
          Register(label + " integers",
                   [=](Context &c) { linear_case(c, kind, s, true, s.m % 2 == 1); });
        Register(label + " normals",
                 [=](Context &c) { linear_case(c, kind, s, false, s.m % 2 == 0); });
        if (s.rank > 0) {
          Shape dropped = s;
          dropped.dropout = 0.3f;
          Register(label + " dropout",
                   [=](Context &c) { linear_case(c, kind, dropped, false, false); });
        }
      }
    for (const Shape &s : kBlockShapes) {
      std::string label = "nf4 linear " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
                          std::to_string(s.k) + " block " + std::to_string(s.block);
      for (bool integers : {true, false})
        Register(label + (integers ? " integers" : " normals"),
                 [=](Context &c) { linear_case(c, Kind::nf4, s, integers, integers); });
    }
    for (Kind kind : {Kind::f32, Kind::bf16, Kind::nf4})
      for (const Shape &s : kAlignedShapes) {
        std::string label = std::string(name_of(kind)) + " linear aligned " + std::to_string(s.m) +
                            "x" + std::to_string(s.n) + "x" + std::to_string(s.k);
        for (bool integers : {true, false})
          Register(label + (integers ? " integers" : " normals"),
                   aligned([=](Context &c) { linear_case(c, kind, s, integers, !integers); }));
      }
  }
} registration;

// A row's result does not depend on the rows beside it: packing sequences differently changes no bit.
const Register rows_alone{
    "linear rows do not depend on their neighbours", [](Context &context) {
      for (Kind kind : {Kind::f32, Kind::bf16, Kind::nf4}) {
        const int64_t m = 29, n = 70, k = 192;
        Random random(5);
        Weight w(context, kind, n, k, false, random);
        std::vector<float> x = random.normals(m * k);
        auto run = [&](int64_t first, int64_t rows) {
          Array<float> in(
              context, std::vector<float>(x.begin() + first * k, x.begin() + (first + rows) * k));
          Array<float> out(context, rows * n);
          if (kind == Kind::nf4) {
            context.ok(cria_nf4_linear(context.queue, w.nf4, rows, in, 0, nullptr, nullptr, 0, 0, 0,
                                       nullptr, out),
                       "nf4_linear");
          } else {
            context.ok(
                cria_linear(context.queue, rows, n, k, kind == Kind::f32 ? CRIA_F32 : CRIA_BF16,
                            w.address(), in, 0, nullptr, nullptr, 0, 0, 0, nullptr, out),
                "linear");
          }
          return out.values();
        };
        std::vector<float> all = run(0, m), tail = run(11, 18);
        context.same("rows 11..28", tail, std::vector<float>(all.begin() + 11 * n, all.end()));
      }
    }};

// A value half way between two of bf16 goes to the one with an even last bit, however many rows there are.
const Register ties{
    "nf4 linear rounds ties to even", [](Context &context) {
      const int64_t n = 16, k = 192;
      std::vector<float> map(16), scales(size_t(n * k / 64), 1.0f);
      for (int i = 0; i < 16; i++) {
        const uint32_t bits = 0x3F808000u + (uint32_t(i / 2) << 16) - uint32_t(i % 3 == 0);
        std::memcpy(&map[size_t(i)], &bits, sizeof bits);
        if (i % 2) map[size_t(i)] = -map[size_t(i)];
      }
      Random random(11);
      std::vector<uint8_t> codes(size_t(n * k / 2));
      for (auto &byte : codes) byte = uint8_t(random.next());
      cria_nf4 *matrix = nullptr;
      context.ok(cria_nf4_import(context.queue, n, k, 64, codes.data(), map.data(), scales.data(),
                                 nullptr, 0, nullptr, nullptr, 0, &matrix),
                 "nf4_import");
      for (int64_t m : {int64_t{1}, int64_t{5}, k}) {
        std::vector<float> x(size_t(m * k)), want;
        for (int64_t i = 0; i < m; i++) {
          const int64_t column = m == k ? i : (37 * i + 66) % k;
          x[size_t(i * k + column)] = 1;
          for (int64_t j = 0; j < n; j++) {
            const uint8_t pair = codes[size_t((j * k + column) / 2)];
            want.push_back(round_bf16(map[column % 2 ? pair & 15 : pair >> 4]));
          }
        }
        Array<float> in(context, x), out(context, m * n);
        context.ok(cria_nf4_linear(context.queue, matrix, m, in, 0, nullptr, nullptr, 0, 0, 0,
                                   nullptr, out),
                   "nf4_linear");
        context.same("weights", out.values(), want);
      }
      cria_nf4_free(matrix);
    }};

struct Product {
  int64_t batch, m, n, k;
};

void matmul_case(Context &context, Product s, bool ta, bool tb, bool accumulate, bool integers) {
  Random random(uint64_t(s.m * 7 + s.n * 5 + s.k));
  auto draw = [&](int64_t n) { return integers ? random.integers(n, 4) : random.normals(n); };
  std::vector<float> a = draw(s.batch * s.m * s.k), b = draw(s.batch * s.k * s.n),
                     c0 = draw(s.batch * s.m * s.n);
  const float alpha = integers ? 2.0f : -0.7f;
  Array<float> da(context, a), db(context, b), dc(context, c0);
  context.ok(
      cria_matmul(context.queue, s.batch, s.m, s.n, s.k, ta, tb, alpha, da, db, accumulate, dc),
      "matmul");
  Matrix want(c0.size()), bound(c0.size());
  double f = integers ? 0 : sum_factor(s.k + 2);
  for (int64_t i = 0; i < s.batch; i++) {
    Matrix ai(a.begin() + i * s.m * s.k, a.begin() + (i + 1) * s.m * s.k);
    Matrix bi(b.begin() + i * s.k * s.n, b.begin() + (i + 1) * s.k * s.n);
    if (ta) ai = transpose(ai, s.k, s.m);
    if (!tb) bi = transpose(bi, s.k, s.n);
    Matrix size;
    Matrix ci = multiply_transposed(ai, bi, s.m, s.n, s.k, &size);
    for (int64_t j = 0; j < s.m * s.n; j++) {
      size_t at = size_t(i * s.m * s.n + j);
      double start = accumulate ? double(c0[at]) : 0;
      want[at] = double(alpha) * ci[size_t(j)] + start;
      bound[at] = f * (std::fabs(double(alpha)) * size[size_t(j)] + std::fabs(start));
    }
  }
  context.close("c", dc.values(), want, bound);
}

struct MatmulRegistration {
  MatmulRegistration() {
    for (Product s : std::vector<Product>{{1, 1, 1, 1},
                                          {0, 3, 3, 3},
                                          {2, 0, 3, 4},
                                          {1, 3, 5, 0},
                                          {3, 7, 5, 11},
                                          {2, 17, 33, 65},
                                          {1, 64, 64, 64},
                                          {1, 6, 64, 3},
                                          {1, 5, 63, 100},
                                          {2, 129, 31, 70},
                                          {1, 2, 3200, 17},
                                          {1, 13, 3, 8640},
                                          {1, 100, 100, 257},
                                          {1, 1, 130, 96},
                                          {1, 130, 1, 96},
                                          {1, 16, 2100, 37},
                                          {1, 32, 700, 50},
                                          {1, 33, 130, 50},
                                          {1, 70, 16, 700}})
      add(s, "matmul ", [](Case run) { return run; });
    // Rows of whole vectors: a few rows, and tiles with edges on both sides.
    for (Product s : std::vector<Product>{{1, 8, 72, 64}, {3, 20, 4, 12}, {2, 132, 148, 36}})
      add(s, "aligned matmul ", aligned);
  }

  template <class Change>
  void add(Product s, const char *what, Change change) {
    for (int mode = 0; mode < 8; mode++) {
      std::string label = what + std::to_string(s.batch) + "x" + std::to_string(s.m) + "x" +
                          std::to_string(s.n) + "x" + std::to_string(s.k) + " mode " +
                          std::to_string(mode);
      Register(label, change([=](Context &c) {
                 matmul_case(c, s, mode & 1, mode & 2, mode & 4, true);
                 matmul_case(c, s, mode & 1, mode & 2, mode & 4, false);
               }));
    }
  }
} matmul_registration;

const Register refusals{
    "linear refuses bad arguments", [](Context &context) {
      Array<float> x(context, 64);
      context.refused(cria_linear(context.queue, -1, 4, 4, CRIA_F32, x, x, 0, nullptr, nullptr, 0,
                                  0, 0, nullptr, x),
                      CRIA_INVALID_ARGUMENT, {"linear", "-1"});
      context.refused(
          cria_linear(context.queue, 2, 4, 4, 99, x, x, 0, nullptr, nullptr, 0, 0, 0, nullptr, x),
          CRIA_INVALID_ARGUMENT, {"linear", "99"});
      context.refused(cria_linear(context.queue, 2, 4, 4, CRIA_F32, x, nullptr, 0, nullptr, nullptr,
                                  0, 0, 0, nullptr, x),
                      CRIA_INVALID_ARGUMENT, {"linear", "x"});
      context.refused(
          cria_linear(context.queue, 2, 4, 4, CRIA_F32, x, x, 2, nullptr, x, 1, 0, 0, x, x),
          CRIA_INVALID_ARGUMENT, {"linear", "a is null"});
      context.refused(
          cria_linear(context.queue, 2, 4, 4, CRIA_F32, x, x, 2, x, x, 1, 1.0f, 0, x, x),
          CRIA_INVALID_ARGUMENT, {"linear", "dropout"});
      context.refused(
          cria_nf4_linear(context.queue, nullptr, 2, x, 0, nullptr, nullptr, 0, 0, 0, nullptr, x),
          CRIA_INVALID_ARGUMENT, {"nf4_linear"});
      context.refused(cria_matmul(context.queue, 1, 2, -3, 2, 0, 0, 1, x, x, 0, x),
                      CRIA_INVALID_ARGUMENT, {"matmul", "-3"});
    }};

}  // namespace
}  // namespace conformance
