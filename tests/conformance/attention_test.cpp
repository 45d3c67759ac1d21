// attention_test.cpp: packed causal attention with shared prefixes, its gradient, and decoding from the cache.
//
// Where a device rounds q, k, v and dout to bf16, the reference gets rounded values too, and the bounds grow by what the
// rounding of probabilities and of their gradients can move.
#include "oracle.h"

namespace conformance {
namespace {

using Sequences = std::vector<int32_t>;  // start, length, prefix start, prefix length

struct Shape {
  int64_t t, heads, kv_heads, d;
  Sequences sequences;
};

std::vector<int64_t> keys_of(const Shape &s, int64_t row) {
  std::vector<int64_t> keys;
  for (size_t i = 0; i < s.sequences.size(); i += 4) {
    int64_t start = s.sequences[i], length = s.sequences[i + 1];
    if (row < start || row >= start + length) continue;
    for (int64_t p = 0; p < s.sequences[i + 3]; p++) keys.push_back(s.sequences[i + 2] + p);
    for (int64_t p = start; p <= row; p++) keys.push_back(p);
  }
  return keys;
}

// Forward and backward in float64 with the magnitudes that bound the float32 error, and what dq and dk move by where every
// probability p and every gradient ds of a score errs by its own size. (For out and dv these are size_out and size_dv.)
struct Oracle {
  Matrix out, lse, dq, dk, dv;
  Matrix size_out, size_dq, size_dk, size_dv;
  Matrix move_dq, move_dk;
};

Oracle oracle(const Shape &s, double scale, const Matrix &q, const Matrix &k, const Matrix &v,
              const Matrix &dout) {
  int64_t group = s.heads / std::max<int64_t>(1, s.kv_heads), d = s.d, wq = s.heads * d,
          wk = s.kv_heads * d;
  Oracle o;
  o.out.assign(q.size(), 0);
  o.size_out = o.dq = o.size_dq = o.move_dq = o.out;
  o.dk.assign(k.size(), 0);
  o.dv = o.size_dk = o.size_dv = o.move_dk = o.dk;
  o.lse.assign(size_t(s.t * s.heads), -INFINITY);
  for (int64_t row = 0; row < s.t; row++) {
    std::vector<int64_t> keys = keys_of(s, row);
    if (keys.empty()) continue;
    for (int64_t h = 0; h < s.heads; h++) {
      size_t at_q = size_t(row * wq + h * d);
      auto at_k = [&](int64_t key) { return size_t(key * wk + h / group * d); };
      Matrix score;
      double top = -INFINITY, sum = 0;
      for (int64_t key : keys) {
        double z = 0;
        for (size_t i = 0; i < size_t(d); i++) z += q[at_q + i] * k[at_k(key) + i];
        score.push_back(z * scale);
        top = std::fmax(top, z * scale);
      }
      for (double z : score) sum += std::exp(z - top);
      double lse = top + std::log(sum), dot = 0;
      o.lse[size_t(row * s.heads + h)] = lse;
      for (size_t j = 0; j < keys.size(); j++) {
        double p = std::exp(score[j] - lse);
        for (size_t i = 0; i < size_t(d); i++) {
          o.out[at_q + i] += p * v[at_k(keys[j]) + i];
          o.size_out[at_q + i] += p * std::fabs(v[at_k(keys[j]) + i]);
        }
      }
      // dout.out = sum of p dp moves by at most sum of p |dp|.
      double size_dot = 0, move_dot = 0;
      for (size_t i = 0; i < size_t(d); i++) {
        dot += dout[at_q + i] * o.out[at_q + i];
        size_dot += std::fabs(dout[at_q + i]) * o.size_out[at_q + i];
      }
      Matrix dps;
      for (size_t j = 0; j < keys.size(); j++) {
        double dp = 0;
        for (size_t i = 0; i < size_t(d); i++) dp += dout[at_q + i] * v[at_k(keys[j]) + i];
        move_dot += std::exp(score[j] - lse) * std::fabs(dp);
        dps.push_back(dp);
      }
      for (size_t j = 0; j < keys.size(); j++) {
        double p = std::exp(score[j] - lse), size_dp = 0;
        size_t at = at_k(keys[j]);
        for (size_t i = 0; i < size_t(d); i++) {
          size_dp += std::fabs(dout[at_q + i] * v[at + i]);
          o.dv[at + i] += p * dout[at_q + i];
          o.size_dv[at + i] += p * std::fabs(dout[at_q + i]);
        }
        double ds = p * (dps[j] - dot) * scale,
               size_ds = p * (size_dp + size_dot) * std::fabs(scale),
               move_ds = std::fabs(ds) + p * move_dot * std::fabs(scale);
        for (size_t i = 0; i < size_t(d); i++) {
          o.dq[at_q + i] += ds * k[at + i];
          o.size_dq[at_q + i] += size_ds * std::fabs(k[at + i]);
          o.move_dq[at_q + i] += move_ds * std::fabs(k[at + i]);
          o.dk[at + i] += ds * q[at_q + i];
          o.size_dk[at + i] += size_ds * std::fabs(q[at_q + i]);
          o.move_dk[at + i] += move_ds * std::fabs(q[at_q + i]);
        }
      }
    }
  }
  return o;
}

// Scores carry an error of (sum_factor(d) |q||k| scale); exp turns it into a relative error of p. With normals of
// deviation 1 the scores stay below about 6 sqrt(d) d^-1/2 |.| = 20, so p errs by at most 20 * sum_factor + exp's own.
double relative(const Shape &s) { return 24 * sum_factor(s.d) + 64 * kEps; }

// Whether the device rounds q, k, v, dout, the probabilities and their gradients to bf16: the CPU device does where it may
// and multiplies bf16.
bool rounds(const Context &context, cria_dtype precision) {
  return !context.is_cpu() || (precision == CRIA_BF16 && context.tier == "avx512bf16");
}

// What the device multiplies with.
Matrix operand(const Context &context, cria_dtype precision, const std::vector<float> &x) {
  return widen(rounds(context, precision) ? rounded(x) : x);
}

void attention_case(Context &context, const Shape &s, float scale, cria_dtype precision) {
  // The bound of a result whose float32 error is factor * size, and which moves by `move` where what may be rounded errs by
  // its own size.
  auto bound = [&](double factor, const Matrix &size, const Matrix &move) {
    return sum_of(scaled(size, factor), scaled(move, rounds(context, precision) ? kBf16Eps : 0.0));
  };
  Random random(uint64_t(s.t * 131 + s.heads * 17 + s.d));
  std::vector<float> q = random.normals(s.t * s.heads * s.d),
                     k = random.normals(s.t * s.kv_heads * s.d),
                     v = random.normals(s.t * s.kv_heads * s.d),
                     dout = random.normals(s.t * s.heads * s.d);
  Array<float> dq(context, q), dk(context, k), dv(context, v), ddout(context, dout);
  Array<float> out(context, s.t * s.heads * s.d), lse(context, s.t * s.heads);
  int64_t count = int64_t(s.sequences.size() / 4);
  context.ok(cria_attention(context.queue, s.t, s.heads, s.kv_heads, s.d, count, s.sequences.data(),
                            scale, precision, dq, dk, dv, out, lse),
             "attention");
  auto used = [&](const std::vector<float> &x) { return operand(context, precision, x); };
  Oracle o = oracle(s, double(scale), used(q), used(k), used(v), used(dout));
  double f = relative(s) + sum_factor(s.t);
  context.close("out", out.values(), o.out, bound(f, o.size_out, o.size_out));
  context.close("lse", lse.values(), o.lse, f * 4 + 1e-6);
  Array<float> gq(context, s.t * s.heads * s.d), gk(context, s.t * s.kv_heads * s.d),
      gv(context, s.t * s.kv_heads * s.d);
  context.ok(
      cria_attention_bwd(context.queue, s.t, s.heads, s.kv_heads, s.d, count, s.sequences.data(),
                         scale, precision, dq, dk, dv, out, lse, ddout, gq, gk, gv),
      "attention_bwd");
  double g =
      3 * (f + sum_factor(s.t * std::max<int64_t>(1, s.heads / std::max<int64_t>(1, s.kv_heads))));
  context.close("dq", gq.values(), o.dq, bound(g, o.size_dq, o.move_dq));
  context.close("dk", gk.values(), o.dk, bound(g, o.size_dk, o.move_dk));
  context.close("dv", gv.values(), o.dv, bound(g, o.size_dv, o.size_dv));
}

float usual_scale(const Shape &s) { return float(1 / std::sqrt(double(s.d))); }

std::string label(const Shape &s) {
  std::string text = std::to_string(s.t) + " rows, " + std::to_string(s.heads) + "/" +
                     std::to_string(s.kv_heads) + " heads of " + std::to_string(s.d) +
                     ", sequences";
  for (size_t i = 0; i < s.sequences.size(); i += 4)
    text += " " + std::to_string(s.sequences[i]) + "+" + std::to_string(s.sequences[i + 1]) +
            (s.sequences[i + 3] ? "<" + std::to_string(s.sequences[i + 2]) + "+" +
                                      std::to_string(s.sequences[i + 3])
                                : "");
  return text;
}

const std::vector<Shape> kShapes = {
    {0, 2, 1, 8, {}},
    {1, 1, 1, 1, {0, 1, 0, 0}},
    {2, 1, 1, 3, {0, 2, 0, 0}},
    {5, 2, 2, 8, {0, 5, 0, 0}},
    {7, 4, 2, 8, {0, 3, 0, 0, 3, 4, 0, 0}},
    {9, 3, 1, 64, {0, 4, 0, 0, 4, 0, 0, 0, 4, 5, 0, 0}},
    {17, 4, 4, 100, {0, 17, 0, 0}},
    {33, 2, 1, 100, {0, 10, 0, 0, 10, 12, 0, 10, 22, 11, 0, 10}},
    {65, 2, 2, 7, {0, 65, 0, 0}},
    {63, 1, 1, 13, {1, 30, 0, 0, 33, 29, 1, 30}},  // rows 0, 31, 32, 62 belong to no sequence
    {128, 2, 1, 128, {0, 128, 0, 0}},
    {131, 3, 3, 33, {0, 64, 0, 0, 64, 67, 0, 0}},
    {200, 2, 2, 100, {0, 70, 0, 0, 70, 65, 0, 70, 135, 65, 0, 70}},
    {257, 1, 1, 16, {0, 257, 0, 0}},
    {97, 9, 3, 64, {0, 33, 0, 0, 33, 64, 0, 0}},
    {300, 1, 1, 100, {0, 150, 0, 0, 150, 150, 20, 129}},
    {70, 8, 1, 127, {0, 70, 0, 0}},
    {140, 4, 2, 40, {0, 65, 0, 0, 65, 75, 30, 35}},
    {90, 1, 1, 24, {0, 30, 0, 0, 30, 30, 0, 30, 60, 30, 30, 30}},  // a prefix in what has a prefix
    {330, 1, 1, 8, {5, 3, 0, 0, 320, 4, 6, 2}},                    // wide gaps
    {600, 2, 1, 8, {0, 530, 0, 0, 530, 70, 200, 300}},             // long enough to be cut
};

void cache_case(Context &context, int64_t heads, int64_t kv_heads, int64_t d, cria_dtype dtype,
                std::vector<int64_t> steps) {
  int64_t total = 0;
  for (int64_t n : steps) total += n;
  Random random(uint64_t(total * 3 + d));
  Shape s{total, heads, kv_heads, d, {0, int32_t(total), 0, 0}};
  const float scale = float(1 / std::sqrt(double(d)));
  std::vector<float> q = random.normals(total * heads * d),
                     k = random.normals(total * kv_heads * d),
                     v = random.normals(total * kv_heads * d);
  if (dtype == CRIA_BF16) {
    k = rounded(k);
    v = rounded(v);
  }
  Oracle o = oracle(s, double(scale), widen(q), widen(k), widen(v), Matrix(q.size(), 0.0));
  cria_kv *cache = nullptr;
  context.ok(cria_kv_create(context.device, total + 3, kv_heads, d, dtype, &cache), "kv_create");
  int64_t done = 0;
  for (int64_t n : steps) {
    auto part = [&](const std::vector<float> &x, int64_t width) {
      return std::vector<float>(x.begin() + done * width, x.begin() + (done + n) * width);
    };
    Array<float> dq(context, part(q, heads * d)), dk(context, part(k, kv_heads * d)),
        dv(context, part(v, kv_heads * d));
    Array<float> out(context, n * heads * d);
    context.ok(cria_kv_append(context.queue, cache, n, dk, dv), "kv_append");
    if (n == 1 && done > 2) {  // taking rows back and appending them again changes nothing
      context.ok(cria_kv_truncate(cache, done), "kv_truncate");
      context.ok(cria_kv_append(context.queue, cache, n, dk, dv), "kv_append again");
    }
    context.ok(cria_kv_attention(context.queue, cache, n, heads, scale, dq, out), "kv_attention");
    Matrix want(o.out.begin() + done * heads * d, o.out.begin() + (done + n) * heads * d);
    Matrix size(o.size_out.begin() + done * heads * d, o.size_out.begin() + (done + n) * heads * d);
    // Queries may be rounded to bf16 beside bf16 keys: |score| <= 20 moves by at most 20 * 2^-8 relative to sqrt(d) terms.
    context.close("out", out.values(), want, scaled(size, relative(s) + sum_factor(total)));
    done += n;
  }
  int64_t length = 0;
  context.ok(cria_kv_length(cache, &length), "kv_length");
  context.same("length", std::vector<int64_t>{length}, {total});
  Array<float> more(context, random.normals(4 * kv_heads * d));
  context.refused(cria_kv_append(context.queue, cache, 4, more, more), CRIA_INVALID_ARGUMENT,
                  {"kv_append", std::to_string(total + 3).c_str()});
  context.refused(cria_kv_truncate(cache, total + 1), CRIA_INVALID_ARGUMENT, {"kv_truncate"});
  context.ok(cria_kv_free(cache), "kv_free");
}

struct Registration {
  Registration() {
    for (const Shape &s : kShapes) {
      Register("attention " + label(s),
               [s](Context &c) { attention_case(c, s, usual_scale(s), CRIA_F32); });
      Register(
          "attention " + label(s) + ", rounding allowed",
          [s](Context &c) { attention_case(c, s, usual_scale(s), CRIA_BF16); }, RunOn::cpu);
    }
    for (int64_t d : {32, 64, 100, 128}) {
      Shape s{40, 4, 2, d, {0, 15, 0, 0, 15, 25, 2, 13}};
      Register("attention " + label(s) + ", aligned",
               aligned([s](Context &c) { attention_case(c, s, usual_scale(s), CRIA_BF16); }));
    }
    for (float scale : {-0.3f, 0.0f}) {
      Shape s{70, 2, 1, 13, {0, 70, 0, 0}};
      Register("attention scaled by " + std::to_string(scale),
               [=](Context &c) { attention_case(c, s, scale, CRIA_BF16); });
    }
    Shape large{1024, 1, 1, 100, {0, 1024, 0, 0}};
    Register(
        "attention " + label(large),
        [large](Context &c) { attention_case(c, large, usual_scale(large), CRIA_BF16); },
        RunOn::slow);
    struct Cache {
      int64_t heads, kv_heads, d;
      std::vector<int64_t> steps;
    };
    for (const Cache &c : std::vector<Cache>{{1, 1, 1, {1, 1, 1}},
                                             {4, 2, 8, {5, 1, 1, 3}},
                                             {3, 3, 100, {64, 1, 1}},
                                             {9, 3, 64, {33, 1, 70, 1}},
                                             {2, 1, 128, {1, 129, 1, 1}},
                                             {2, 2, 100, {300, 1}},
                                             {4, 4, 5, {257}}})
      for (cria_dtype dtype : {CRIA_F32, CRIA_BF16}) {
        const std::string name = "kv cache " + std::to_string(c.heads) + "/" +
                                 std::to_string(c.kv_heads) + " heads of " + std::to_string(c.d) +
                                 (dtype == CRIA_F32 ? " f32" : " bf16");
        const auto run = [=](Context &context) {
          cache_case(context, c.heads, c.kv_heads, c.d, dtype, c.steps);
        };
        Register(name, run);
        if (c.d % 4 == 0 && c.heads < 9 && c.steps.size() > 2)
          Register(name + ", aligned", aligned(run));
      }
  }
} registration;

const Register prefix{
    "attention with a shared prefix equals whole sequences", [](Context &context) {
      // Prompt of 20 rows with answers of 9 and 14: packed with a shared prompt, and as two plain sequences.
      const int64_t heads = 2, d = 100, w = heads * d;
      Random random(8);
      auto rows = [&](int64_t n) { return random.normals(n * w); };
      std::vector<float> prompt[3] = {rows(20), rows(20), rows(20)},
                         a[3] = {rows(9), rows(9), rows(9)}, b[3] = {rows(14), rows(14), rows(14)};
      auto join = [](std::initializer_list<std::vector<float>> parts) {
        std::vector<float> all;
        for (const auto &p : parts) all.insert(all.end(), p.begin(), p.end());
        return all;
      };
      auto run = [&](const Sequences &sequences, auto make) {
        Array<float> q(context, make(0)), k(context, make(1)), v(context, make(2));
        int64_t t = int64_t(make(0).size()) / w;
        Array<float> out(context, t * w), lse(context, t * heads);
        context.ok(cria_attention(context.queue, t, heads, heads, d, int64_t(sequences.size() / 4),
                                  sequences.data(), 0.1f, CRIA_BF16, q, k, v, out, lse),
                   "attention");
        return out.values();
      };
      std::vector<float> shared = run({0, 20, 0, 0, 20, 9, 0, 20, 29, 14, 0, 20},
                                      [&](int i) { return join({prompt[i], a[i], b[i]}); });
      std::vector<float> plain = run({0, 29, 0, 0, 29, 34, 0, 0}, [&](int i) {
        return join({prompt[i], a[i], prompt[i], b[i]});
      });
      std::vector<float> want(plain.begin(), plain.begin() + 29 * w);
      want.insert(want.end(), plain.begin() + 49 * w, plain.end());
      // Each sum of p v with sum of p = 1 may have its p rounded.
      float most = 0;
      for (const auto *part : {&prompt[2], &a[2], &b[2]})
        for (float x : *part) most = std::fmax(most, std::fabs(x));
      context.close("out", shared, widen(want),
                    1e-5 + (rounds(context, CRIA_BF16) ? 2 * kBf16Eps * double(most) : 0));
    }};

// Queries of 0 give every key seen the same weight, a power of 2 before it is normalised: nothing is rounded to bf16 but
// v, and one key too many or too few is seen.
const Register equal_scores{
    "attention of equal scores is the mean of the values seen", [](Context &context) {
      Shape s{300, 2, 1, 20, {3, 150, 0, 0, 153, 140, 23, 129}};
      Random random(9);
      std::vector<float> q(size_t(s.t * s.heads * s.d)), k = random.normals(s.t * s.d),
                                                         v = random.normals(s.t * s.d);
      Oracle o = oracle(s, 1, widen(q), widen(k), operand(context, CRIA_BF16, v), widen(q));
      Array<float> dq(context, q), dk(context, k), dv(context, v),
          out(context, s.t * s.heads * s.d), lse(context, s.t * s.heads);
      context.ok(cria_attention(context.queue, s.t, s.heads, s.kv_heads, s.d, 2, s.sequences.data(),
                                1, CRIA_BF16, dq, dk, dv, out, lse),
                 "attention");
      context.close("out", out.values(), o.out, scaled(o.size_out, sum_factor(s.t)));
      context.close("lse", lse.values(), o.lse, 8 * sum_factor(s.t));
    }};

const Register gradient{"attention oracle against central differences", [](Context &context) {
                          Shape s{5, 2, 1, 3, {0, 2, 0, 0, 2, 3, 0, 2}};
                          Random random(4);
                          Matrix q = widen(random.normals(5 * 6)), k = widen(random.normals(5 * 3)),
                                 v = widen(random.normals(5 * 3)),
                                 dout = widen(random.normals(5 * 6));
                          Oracle o = oracle(s, 0.6, q, k, v, dout);
                          auto f = [&] {
                            Matrix out = oracle(s, 0.6, q, k, v, dout).out;
                            double sum = 0;
                            for (size_t i = 0; i < out.size(); i++) sum += out[i] * dout[i];
                            return sum;
                          };
                          check_oracle(context, "dq", q, f, o.dq);
                          check_oracle(context, "dk", k, f, o.dk);
                          check_oracle(context, "dv", v, f, o.dv);
                        }};

const Register refusals{
    "attention refuses bad sequences", [](Context &context) {
      Array<float> x(context, std::vector<float>(16 * 8, 0.5f)), out(context, 16 * 8),
          lse(context, 16);
      cria_dtype precision = CRIA_F32;
      auto call = [&](int64_t t, int64_t heads, int64_t kv, int64_t d, Sequences s) {
        return cria_attention(context.queue, t, heads, kv, d, int64_t(s.size() / 4), s.data(), 1.0f,
                              precision, x, x, x, out, lse);
      };
      context.refused(call(16, 1, 1, 8, {0, 17, 0, 0}), CRIA_INVALID_ARGUMENT, {"attention", "17"});
      context.refused(call(16, 1, 1, 8, {-1, 4, 0, 0}), CRIA_INVALID_ARGUMENT, {"attention", "-1"});
      context.refused(call(16, 1, 1, 8, {0, 9, 0, 0, 8, 8, 0, 0}), CRIA_INVALID_ARGUMENT,
                      {"attention", "overlap"});
      context.refused(call(16, 1, 1, 8, {0, 8, 0, 0, 8, 8, 10, 9}), CRIA_INVALID_ARGUMENT,
                      {"attention", "prefix"});
      const Sequences overlap = {0, 9, 0, 0, 8, 8, 0, 0};
      context.refused(cria_attention_bwd(context.queue, 16, 1, 1, 8, 2, overlap.data(), 1.0f,
                                         precision, x, x, x, x, lse, x, out, out, out),
                      CRIA_INVALID_ARGUMENT, {"attention_bwd", "overlap"});
      context.refused(call(16, 3, 2, 2, {0, 16, 0, 0}), CRIA_INVALID_ARGUMENT,
                      {"attention", "heads"});
      precision = CRIA_I32;
      context.refused(call(16, 1, 1, 8, {0, 16, 0, 0}), CRIA_INVALID_ARGUMENT,
                      {"attention", "precision"});
      precision = CRIA_F32;
      context.refused(call(8, 1, 1, 129, {0, 8, 0, 0}), CRIA_INVALID_ARGUMENT,
                      {"attention", "129"});
    }};

}  // namespace
}  // namespace conformance
