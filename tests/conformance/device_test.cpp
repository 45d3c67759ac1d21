// device_test.cpp: devices, memory accounts, optimisers, and the same bits for one and two threads.
#include <algorithm>
#include <cstdlib>

#include "oracle.h"

namespace conformance {
namespace {

const Register memory{
    "memory account, limit and misuse", [](Context &c) {
      int64_t live = 0, peak = 0, now = 0;
      c.ok(cria_device_memory(c.device, &live, nullptr, nullptr), "device_memory");
      c.ok(cria_device_reset_peak(c.device), "reset_peak");
      void *a = nullptr, *b = nullptr;
      c.ok(cria_alloc(c.device, 1000, &a), "alloc");
      c.ok(cria_alloc(c.device, 0, &b), "alloc of 0");
      c.checks++;
      if (!a || !b || a == b) c.fail("allocations are not unique");
      c.ok(cria_device_memory(c.device, &now, &peak, nullptr), "device_memory");
      c.checks++;
      if (now < live + 1000 || peak < now)
        c.fail("live %lld -> %lld, peak %lld", (long long)live, (long long)now, (long long)peak);
      c.ok(cria_device_set_limit(c.device, now + 100), "set_limit");
      void *d = nullptr;
      c.refused(cria_alloc(c.device, 4096, &d), CRIA_OUT_OF_MEMORY, {"4096"});
      c.ok(cria_device_set_limit(c.device, 0), "set_limit 0");
      c.refused(cria_alloc(c.device, -1, &d), CRIA_INVALID_ARGUMENT, {"alloc", "-1"});
      c.refused(cria_alloc(c.device, INT64_MAX / 2, &d), CRIA_OUT_OF_MEMORY, {"alloc"});
      int stranger = 0;
      c.refused(cria_free(c.device, &stranger), CRIA_INVALID_ARGUMENT, {"free"});
      c.ok(cria_free(c.device, a), "free");
      c.refused(cria_free(c.device, a), CRIA_INVALID_ARGUMENT, {"free"});
      c.ok(cria_free(c.device, b), "free");
      c.ok(cria_free(c.device, nullptr), "free of NULL");
      cria_device *other = nullptr;
      c.refused(cria_device_open("abacus", 0, &other), CRIA_INVALID_ARGUMENT, {"abacus"});
      c.ok(cria_device_open("cpu", 1, &other), "device_open");
      c.ok(cria_alloc(other, 64, &a), "alloc");
      c.refused(cria_device_close(other), CRIA_INVALID_ARGUMENT, {"device_close", "bytes"});
      c.ok(cria_free(other, a), "free");
      c.ok(cria_device_close(other), "device_close");
      c.checks++;
      if (cria_abi_version() != CRIA_ABI_VERSION) c.fail("abi version %d", cria_abi_version());
      std::string table = cria_entry_points();
      c.checks++;
      if (table.find("cria_fill(plfp)i\n") == std::string::npos ||
          table.find("cria_device_isa(p)p\n") == std::string::npos ||
          table.find("cria_abi_version()i\n") == std::string::npos)
        c.fail("entry points lack a known line");
    }};

const Register tiers{"an unknown tier is refused",
                     [](Context &c) {
                       std::string kept = getenv("CRIA_MAX_ISA");
                       setenv("CRIA_MAX_ISA", "avx1024", 1);
                       cria_device *other = nullptr;
                       c.refused(cria_device_open("cpu", 1, &other), CRIA_INVALID_ARGUMENT,
                                 {"CRIA_MAX_ISA", "avx1024"});
                       setenv("CRIA_MAX_ISA", kept.c_str(), 1);
                     },
                     RunOn::cpu};

void adamw_case(Context &c, int64_t n) {
  Random random(uint64_t(n) + 5);
  std::vector<float> p = random.normals(n), m(size_t(n), 0.0f), v(size_t(n), 0.0f);
  const double lr = 1e-2f, b1 = 0.9f, b2 = 0.999f, eps = 1e-8f, decay = 0.1f, scale = 0.5f;
  Array<float> dp(c, p), dm(c, m), dv(c, v);
  Array<uint16_t> half(c, n);
  Matrix wp = widen(p), wm(size_t(n), 0.0), wv(size_t(n), 0.0);
  for (int step = 1; step <= 5; step++) {
    std::vector<float> g = random.normals(n);
    Array<float> dg(c, g);
    c.ok(cria_adamw(c.queue, n, dp, half, dg, float(scale), float(lr), float(b1), float(b2),
                    float(eps), float(decay), step, dm, dv),
         "adamw");
    Matrix bound;
    for (size_t i = 0; i < size_t(n); i++) {
      double grad = scale * g[i];
      wm[i] = b1 * wm[i] + (1 - b1) * grad;
      wv[i] = b2 * wv[i] + (1 - b2) * grad * grad;
      wp[i] = wp[i] * (1 - lr * decay) -
              lr / (1 - std::pow(b1, step)) * wm[i] /
                  (std::sqrt(wv[i]) / std::sqrt(1 - std::pow(b2, step)) + eps);
      bound.push_back(step * (4 * kEps * std::fabs(wp[i]) + 32 * kEps * lr * 4));
    }
    c.close("p", dp.values(), wp, bound);
  }
  c.same("bf16 copy", half.values(), bf16_of(dp.values()));
  Matrix bm(size_t(n), 64 * kEps), bv(size_t(n), 64 * kEps);
  c.close("m", dm.values(), wm, bm);
  c.close("v", dv.values(), wv, bv);
}

void adamw8_case(Context &c, int64_t n) {
  Random random(uint64_t(n) + 6);
  std::vector<float> p = random.normals(n);
  int64_t blocks = (n + 255) / 256;
  Array<float> exact(c, p), coarse(c, p), m(c, std::vector<float>(size_t(n), 0.0f)),
      v(c, std::vector<float>(size_t(n), 0.0f));
  Array<uint8_t> mc(c, std::vector<uint8_t>(size_t(n), 0)),
      vc(c, std::vector<uint8_t>(size_t(n), 0));
  Array<float> ma(c, std::vector<float>(size_t(blocks), 0.0f)),
      va(c, std::vector<float>(size_t(blocks), 0.0f));
  for (int step = 1; step <= 4; step++) {
    Array<float> g(c, random.normals(n));
    c.ok(cria_adamw(c.queue, n, exact, nullptr, g, 1, 0.01f, 0.9f, 0.99f, 1e-8f, 0.01f, step, m, v),
         "adamw");
    c.ok(cria_adamw8(c.queue, n, coarse, nullptr, g, 1, 0.01f, 0.9f, 0.99f, 1e-8f, 0.01f, step, mc,
                     ma, vc, va),
         "adamw8");
    std::vector<float> a = exact.values(), b = coarse.values();
    double worst = 0;
    for (size_t i = 0; i < a.size(); i++) worst = std::max(worst, double(std::fabs(a[i] - b[i])));
    c.checks++;
    if (step == 1) {
      // The first step starts from exact zeros; the moments are rounded only after it.
      if (worst > 8 * kEps * 4)
        c.fail("first step differs by %g from the float32 optimiser", worst);
    } else if (worst > 0.01 * step * 2) {
      c.fail("step %d differs by %g from the float32 optimiser", step,
             worst);  // a step moves by about lr
    }
  }
  // Block maxima are those of the moments, up to what rounding earlier moments moved them: 1/2 of the widest spacing, 0.7 %.
  std::vector<float> mm = m.values(), got = ma.values();
  Matrix want, bound;
  for (int64_t b = 0; b < blocks; b++) {
    double top = 0;
    for (int64_t i = b * 256; i < std::min(n, (b + 1) * 256); i++)
      top = std::max(top, std::fabs(double(mm[size_t(i)])));
    want.push_back(top);
    bound.push_back(0.02 * top + 1e-12);
  }
  c.close("m absmax", got, want, bound);
}

// Value `code` of a dynamic map: midpoints of evenly spaced points on [0.1, 1] in seven decades, 0 and 1.
double dynamic_value(bool has_sign, int code) {
  int zero = has_sign ? 127 : 0, number = std::abs(code - zero) + (has_sign ? 0 : 1);
  if (code == zero || code == 255) return code == zero ? 0 : 1;
  int bits = int(std::log2(number)), n = 1 << bits, decade = bits - (has_sign ? 6 : 7);
  double value = std::pow(10, decade) * (0.1 + 0.9 * (number - n + 0.5) / n);
  return code < zero ? -value : value;
}

const Register codes{
    "adamw 8 bits takes each code for its value and back", [](Context &c) {
      // Without gradient the moments shrink by powers of two, which changes no code: block 0 has every code of the first
      // moment and one of the second, block 1 the other way round. A single value is the maximum of its block.
      const double b1 = 0.5, b2 = 0.25, lr = 0.125, eps = 1e-8f, m_scale = 3, v_scale = 0.75;
      std::vector<uint8_t> m_codes, v_codes, want_m, want_v;
      Matrix want_p, bound;
      for (int i = 0; i < 512; i++) {
        m_codes.push_back(uint8_t(i < 256 ? i : 40));
        v_codes.push_back(uint8_t(i < 256 ? 200 : i - 256));
        want_m.push_back(uint8_t(i < 256 ? i : 0));
        want_v.push_back(uint8_t(i < 256 ? 255 : i - 256));
        double m = b1 * m_scale * dynamic_value(true, m_codes.back()),
               v = b2 * v_scale * dynamic_value(false, v_codes.back());
        want_p.push_back(-lr / (1 - b1) * m / (std::sqrt(v) / std::sqrt(1 - b2) + eps));
        bound.push_back(24 * kEps * std::fabs(want_p.back()));
      }
      Array<uint8_t> mc(c, m_codes), vc(c, v_codes);
      Array<float> ma(c, {3, 3}), va(c, {0.75f, 0.75f}), p(c, std::vector<float>(512, 0.0f)),
          g(c, std::vector<float>(512, 0.0f));
      Array<uint16_t> half(c, 512);
      c.ok(cria_adamw8(c.queue, 512, p, half, g, 1, float(lr), b1, b2, float(eps), 0, 1, mc, ma, vc,
                       va),
           "adamw8");
      c.same("m codes", mc.values(), want_m);
      c.same("v codes", vc.values(), want_v);
      c.close("m absmax", ma.values(), {1.5, -1.5 * dynamic_value(true, 40)}, 16 * kEps);
      c.close("v absmax", va.values(), {0.1875 * dynamic_value(false, 200), 0.1875}, 16 * kEps);
      c.close("p", p.values(), want_p, bound);
      c.same("bf16 copy", half.values(), bf16_of(p.values()));
    }};

struct Registration {
  Registration() {
    Register("adamw of 4100, aligned", aligned([](Context &c) { adamw_case(c, 4100); }));
    for (int64_t n : {0, 1, 7, 16, 17, 255, 256, 257, 4099, 70000}) {
      Register("adamw of " + std::to_string(n), [n](Context &c) { adamw_case(c, n); });
      Register("adamw 8 bits of " + std::to_string(n), [n](Context &c) { adamw8_case(c, n); });
    }
  }
} registration;

// Every heavy operation with 1, 2 and 3 threads: the same bits.
const Register threads{
    "the same bits for any number of threads",
    [](Context &context) {
      auto run = [&](int32_t count) {
        Context c;
        c.device_name = context.device_name;
        c.name = context.name;
        cria_device_open("cpu", count, &c.device);
        cria_queue_create(c.device, &c.queue);
        std::vector<float> all;
        {
          auto keep = [&](const std::vector<float> &part) {
            all.insert(all.end(), part.begin(), part.end());
          };
          Random random(1);
          const int64_t m = 150, n = 200, k = 448, r = 8, heads = 4, d = 100, v = 300;
          std::vector<float> start_w = random.normals(n * k, 0.1);
          auto up = [&](const std::vector<float> &x) {
            auto array = std::make_unique<Array<float>>(c, x);
            return array;
          };
          // Array reads back through the current device of the harness; here the data is host memory of this device.
          auto read = [&](const Array<float> &a, int64_t count_) {
            std::vector<float> out(static_cast<size_t>(count_));
            cria_download(c.queue, count_ * 4, a.get(), out.data());
            keep(out);
          };
          auto w = up(start_w), x = up(random.normals(m * k)), a = up(random.normals(r * k, 0.1)),
               b = up(random.normals(n * r)), dy = up(random.normals(m * n));
          Array<float> t(c, m * r), y(c, m * n), dx(c, m * k);
          auto da = up(std::vector<float>(size_t(r * k), 0.0f)),
               db = up(std::vector<float>(size_t(n * r), 0.0f)),
               dw = up(std::vector<float>(size_t(n * k), 0.0f));
          cria_nf4 *q = nullptr;
          c.ok(cria_nf4_quantize(c.queue, n, k, 64, 1, CRIA_F32, *w, &q), "nf4_quantize");
          c.ok(cria_nf4_linear(c.queue, q, m, *x, r, *a, *b, 2, 0.1f, 77, t, y), "nf4_linear");
          read(t, m * r);
          read(y, m * n);
          c.ok(cria_nf4_linear_bwd(c.queue, q, m, *x, r, *a, *b, 2, 0.1f, 77, t, *dy, 0, dx, *da,
                                   *db),
               "nf4_linear_bwd");
          read(dx, m * k);
          c.ok(cria_linear_bwd(c.queue, m, n, k, CRIA_F32, *w, *x, r, *a, *b, 2, 0, 0, t, *dy, 1,
                               dx, *dw, *da, *db),
               "linear_bwd");
          read(dx, m * k);
          read(*dw, n * k);
          read(*da, r * k);
          read(*db, n * r);
          auto aq = up(random.normals(m * heads * d)), ak = up(random.normals(m * 2 * d)),
               av = up(random.normals(m * 2 * d)), ad = up(random.normals(m * heads * d));
          Array<float> out(c, m * heads * d), lse(c, m * heads), gq(c, m * heads * d),
              gk(c, m * 2 * d), gv(c, m * 2 * d);
          std::vector<int32_t> sequences = {0, 60, 0, 0, 60, 50, 0, 60, 110, 40, 0, 60};
          c.ok(cria_attention(c.queue, m, heads, 2, d, 3, sequences.data(), 0.1f, CRIA_BF16, *aq,
                              *ak, *av, out, lse),
               "attention");
          c.ok(cria_attention_bwd(c.queue, m, heads, 2, d, 3, sequences.data(), 0.1f, CRIA_BF16,
                                  *aq, *ak, *av, out, lse, *ad, gq, gk, gv),
               "attention_bwd");
          read(out, m * heads * d);
          read(gq, m * heads * d);
          read(gk, m * 2 * d);
          read(gv, m * 2 * d);
          auto head = up(random.normals(v * k, 0.05));
          auto dhead = up(std::vector<float>(size_t(v * k), 0.0f));
          std::vector<int32_t> ids;
          for (int64_t i = 0; i < m; i++)
            ids.push_back(i % 5 == 2 ? -100 : int32_t(random.below(v)));
          Array<int32_t> labels(c, int64_t(ids.size()));
          cria_upload(c.queue, m * 4, ids.data(), labels.get());
          double sum = 0, squares = 0;
          c.ok(cria_linear_cross_entropy(c.queue, m, k, v, CRIA_F32, *head, *x, labels, nullptr,
                                         0.1f, &sum, nullptr, dx, *dhead),
               "linear_cross_entropy");
          read(dx, m * k);
          read(*dhead, v * k);
          c.ok(cria_sum_squares(c.queue, v * k, *dhead, &squares), "sum_squares");
          keep({float(sum), float(squares)});
          auto gain = up(random.normals(k)), dgain = up(std::vector<float>(size_t(k), 0.0f));
          Array<float> norm(c, m * k), inv(c, m);
          c.ok(cria_rmsnorm(c.queue, m, k, 1e-6f, *x, *gain, norm, inv), "rmsnorm");
          c.ok(cria_rmsnorm_bwd(c.queue, m, k, *x, *gain, inv, norm, 0, dx, *dgain), "rmsnorm_bwd");
          read(norm, m * k);
          read(dx, m * k);
          read(*dgain, k);
          cria_nf4_free(q);
        }
        cria_queue_destroy(c.queue);
        c.ok(cria_device_close(c.device), "device_close");
        context.failures += c.failures;
        return all;
      };
      std::vector<float> one = run(1);
      context.same("2 threads", run(2), one);
      context.same("3 threads", run(3), one);
    },
    RunOn::cpu};

}  // namespace
}  // namespace conformance
