// nf4_test.cpp: NF4 quantisation bit by bit against a scalar reference of the format, and its error cases.
#include <algorithm>

#include "oracle.h"

namespace conformance {
namespace {

constexpr float kCodes[16] = {-1.0f,
                              -0.6961928009986877f,
                              -0.5250730514526367f,
                              -0.39491748809814453f,
                              -0.28444138169288635f,
                              -0.18477343022823334f,
                              -0.09105003625154495f,
                              0.0f,
                              0.07958029955625534f,
                              0.16093020141124725f,
                              0.24611230194568634f,
                              0.33791524171829224f,
                              0.44070982933044434f,
                              0.5626170039176941f,
                              0.7229568362236023f,
                              1.0f};

int nearest_code(float v) {
  int code = 0;
  for (int i = 0; i < 15; i++)
    if (v > float((double(kCodes[i]) + double(kCodes[i + 1])) / 2)) code = i + 1;
  return code;
}

struct Parts {
  std::vector<uint8_t> codes, absmax_codes;
  std::vector<float> map, absmax, nested, nested_map;
  float offset = 0;
};

Parts exported(Context &context, const cria_nf4 *w) {
  int64_t n = 0, k = 0, block = 1, nested = 0, bytes = 0;
  context.ok(cria_nf4_info(w, &n, &k, &block, &nested, &bytes), "nf4_info");
  int64_t blocks = (n * k + block - 1) / block;
  Parts p;
  p.codes.resize(size_t((n * k + 1) / 2));
  p.map.resize(16);
  p.absmax.resize(size_t(blocks));
  if (nested) {
    p.absmax_codes.resize(size_t(blocks));
    p.nested.resize(size_t((blocks + nested - 1) / nested));
    p.nested_map.resize(256);
  }
  context.ok(
      cria_nf4_export(context.queue, w, p.codes.data(), p.map.data(), p.absmax.data(),
                      nested ? p.absmax_codes.data() : nullptr, nested ? p.nested.data() : nullptr,
                      nested ? p.nested_map.data() : nullptr, nested ? &p.offset : nullptr),
      "nf4_export");
  return p;
}

struct Expected {
  std::vector<uint8_t> codes;
  std::vector<float> absmax;
};

Expected reference(const std::vector<float> &w, int64_t block) {
  Expected e;
  int64_t n = int64_t(w.size());
  e.codes.assign(size_t((n + 1) / 2), 0);
  for (int64_t start = 0; start < n; start += block) {
    int64_t end = std::min(n, start + block);
    float a = 0;
    for (int64_t i = start; i < end; i++) a = std::max(a, std::fabs(w[size_t(i)]));
    e.absmax.push_back(a);
    float r = a > 0 ? 1.0f / a : 0.0f;
    for (int64_t i = start; i < end; i++) {
      int code = a > 0 ? nearest_code(w[size_t(i)] * r) : 7;
      e.codes[size_t(i / 2)] = uint8_t(e.codes[size_t(i / 2)] | (i % 2 ? code : code << 4));
    }
  }
  if (n % 2) e.codes.back() = uint8_t(e.codes.back() | 7);
  return e;
}

void quantise_case(Context &context, int64_t n, int64_t k, int64_t block,
                   const std::vector<float> &w) {
  Expected want = reference(w, block);
  Array<float> source(context, w);
  cria_nf4 *plain = nullptr, *nested = nullptr;
  context.ok(cria_nf4_quantize(context.queue, n, k, block, 0, CRIA_F32, source, &plain),
             "nf4_quantize");
  context.ok(cria_nf4_quantize(context.queue, n, k, block, 1, CRIA_F32, source, &nested),
             "nf4_quantize double");
  if (!plain || !nested) {
    cria_nf4_free(plain);
    return;
  }
  Parts p = exported(context, plain), q = exported(context, nested);
  if ((n * k) % 2) {  // the padding nibble is free
    for (auto *codes : {&p.codes, &q.codes, &want.codes}) codes->back() &= 0xF0;
  }
  context.same("codes", p.codes, want.codes);
  context.same("absmax", p.absmax, want.absmax);
  context.same("codes, double", q.codes, want.codes);
  context.same("code map", p.map, std::vector<float>(kCodes, kCodes + 16));

  // Second level: nearest entry of the stored map, group maxima of absmax - offset, offset the mean.
  double mean = 0;
  for (float a : want.absmax) mean += a;
  mean /= double(std::max<size_t>(1, want.absmax.size()));
  context.close("offset", {q.offset}, {mean}, 2 * 2 * kEps * std::fabs(mean) + 1e-45);
  std::vector<uint8_t> codes;
  std::vector<float> groups;
  for (size_t start = 0; start < want.absmax.size(); start += 256) {
    size_t end = std::min(want.absmax.size(), start + 256);
    float top = 0;
    for (size_t i = start; i < end; i++) top = std::max(top, std::fabs(want.absmax[i] - q.offset));
    groups.push_back(top);
    float r = top > 0 ? 1.0f / top : 0.0f;
    for (size_t i = start; i < end; i++) {
      double v = top > 0 ? double((want.absmax[i] - q.offset) * r) : 0;
      int best = 0;
      for (int c = 1; c < 256; c++)
        if (std::fabs(double(q.nested_map[size_t(c)]) - v) <
            std::fabs(double(q.nested_map[size_t(best)]) - v))
          best = c;
      codes.push_back(uint8_t(best));
    }
  }
  context.same("nested absmax", q.nested, groups);
  context.same("absmax codes", q.absmax_codes, codes);

  // Dequantised values: bf16(code * scale), row by row and in both types.
  auto canonical = [&](const Parts &parts) {
    std::vector<float> out(static_cast<size_t>(n * k));
    for (int64_t i = 0; i < n * k; i++) {
      size_t b = size_t(i / block);
      float s =
          parts.absmax_codes.empty()
              ? parts.absmax[b]
              : parts.nested_map[parts.absmax_codes[b]] * parts.nested[b / 256] + parts.offset;
      int code = i % 2 ? parts.codes[size_t(i / 2)] & 15 : parts.codes[size_t(i / 2)] >> 4;
      out[size_t(i)] = round_bf16(kCodes[code] * s);
    }
    return out;
  };
  for (auto [matrix, parts] : {std::pair{plain, &p}, {nested, &q}}) {
    std::vector<float> want_values = canonical(*parts);
    Array<float> f32(context, n * k);
    context.ok(cria_nf4_dequantize(context.queue, matrix, 0, n, CRIA_F32, f32),
               "nf4_dequantize f32");
    context.same("values", f32.values(), want_values);
    if (n > 1) {
      Array<uint16_t> bf16(context, (n - 1) * k);
      context.ok(cria_nf4_dequantize(context.queue, matrix, 1, n - 1, CRIA_BF16, bf16),
                 "nf4_dequantize rows");
      context.same("rows from 1, bf16", bf16.values(),
                   bf16_of(std::vector<float>(want_values.begin() + k, want_values.end())));
    }
  }

  // Import of the exported parts is the same matrix.
  cria_nf4 *again = nullptr;
  context.ok(cria_nf4_import(context.queue, n, k, block, q.codes.data(), q.map.data(), nullptr,
                             q.absmax_codes.data(), 256, q.nested.data(), q.nested_map.data(),
                             q.offset, &again),
             "nf4_import");
  Parts r = exported(context, again);
  context.same("codes again", r.codes, q.codes);
  context.same("absmax codes again", r.absmax_codes, q.absmax_codes);
  context.same("nested again", r.nested, q.nested);
  context.same("scales again", r.absmax, q.absmax);
  for (cria_nf4 *m : {plain, nested, again}) context.ok(cria_nf4_free(m), "nf4_free");
}

struct Registration {
  Registration() {
    struct Shape {
      int64_t n, k, block;
    };
    for (Shape s : std::vector<Shape>{
             {1, 1, 64},    {1, 64, 64},    {3, 65, 64},     {7, 13, 64},    {2, 128, 64},
             {96, 320, 64}, {5, 172, 64},   {3, 200, 64},    {9, 400, 64},   {2, 1080, 64},
             {257, 64, 64}, {11, 3200, 64}, {2, 8640, 64},   {33, 96, 32},   {5, 300, 128},
             {6, 192, 128}, {9, 256, 1024}, {5, 1024, 2048}, {35, 4160, 64}, {3, 5000, 4096},
             {301, 331, 64}}) {
      const std::string label = "nf4 quantise " + std::to_string(s.n) + "x" + std::to_string(s.k) +
                                " block " + std::to_string(s.block);
      const Case run = [s](Context &context) {
        Random random(uint64_t(s.n * 131 + s.k));
        std::vector<float> w = random.normals(s.n * s.k, 0.02);
        // A zero block, a block with one value, a tiny and a negative-only block, where there is room.
        if (s.n * s.k > 6 * s.block) {
          for (int64_t i = 0; i < s.block; i++) {
            w[size_t(i)] = 0;
            w[size_t(s.block + i)] = i == 3 ? -0.25f : 0;
            w[size_t(2 * s.block + i)] *= 1e-30f;
            w[size_t(3 * s.block + i)] = -std::fabs(w[size_t(3 * s.block + i)]);
          }
        }
        quantise_case(context, s.n, s.k, s.block, w);
      };
      Register(label, run);
      Register(label + " aligned", aligned(run));
    }
  }
} registration;

// Parts as others write them: any code map, and groups of scales of any size.
const Register foreign{
    "nf4 import of other maps and groups", [](Context &context) {
      for (int64_t group : {1, 96, 256, 1000}) {
        const int64_t n = 9, k = 320, blocks = n * k / 64, groups = (blocks + group - 1) / group;
        Random random(uint64_t(7 + group));
        std::vector<uint8_t> codes(size_t(n * k / 2)), scale_codes(static_cast<size_t>(blocks));
        for (auto *bytes : {&codes, &scale_codes})
          for (auto &byte : *bytes) byte = uint8_t(random.next());
        const std::vector<float> map = random.normals(16), nested_map = random.normals(256),
                                 nested = random.normals(groups);
        const float offset = 0.75f;
        cria_nf4 *matrix = nullptr;
        context.ok(cria_nf4_import(context.queue, n, k, 64, codes.data(), map.data(), nullptr,
                                   scale_codes.data(), group, nested.data(), nested_map.data(),
                                   offset, &matrix),
                   "nf4_import");
        Parts p = exported(context, matrix);
        context.same("codes", p.codes, codes);
        context.same("code map", p.map, map);
        context.same("absmax codes", p.absmax_codes, scale_codes);
        context.same("nested absmax", p.nested, nested);
        context.same("nested map", p.nested_map, nested_map);
        context.same("offset", std::vector<float>{p.offset}, {offset});
        std::vector<float> scales, values;
        for (int64_t b = 0; b < blocks; b++) {
          const float product = nested_map[scale_codes[size_t(b)]] * nested[size_t(b / group)];
          scales.push_back(product + offset);
        }
        for (int64_t i = 0; i < n * k; i++) {
          const int code = i % 2 ? codes[size_t(i / 2)] & 15 : codes[size_t(i / 2)] >> 4;
          values.push_back(round_bf16(map[size_t(code)] * scales[size_t(i / 64)]));
        }
        context.same("scales", p.absmax, scales);
        Array<float> out(context, n * k);
        context.ok(cria_nf4_dequantize(context.queue, matrix, 0, n, CRIA_F32, out),
                   "nf4_dequantize");
        context.same("values", out.values(), values);
        cria_nf4_free(matrix);
      }
    }};

const Register vector{
    "nf4 published vector", [](Context &context) {
      std::vector<float> w;
      for (int i = 0; i < 128; i++) w.push_back(float((37 * i + 11) % 101 - 50) / 64);
      Array<float> source(context, w);
      cria_nf4 *matrix = nullptr;
      context.ok(cria_nf4_quantize(context.queue, 1, 128, 64, 0, CRIA_F32, source, &matrix),
                 "nf4_quantize");
      Parts p = exported(context, matrix);
      std::string hex;
      for (uint8_t c : p.codes) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", c);
        hex += digits;
      }
      context.checks++;
      if (hex !=
          "17e29f3b05d17e2af4c06d18e2a04c16e29f3b05d17e29f3c05d18e2af4c16e1"
          "9f3b05d17e29f3b05d18e2af4c06e18e3b04d17e29f3b05d17e2af4c06d18e2a")
        context.fail("codes are %s", hex.c_str());
      context.same("absmax", p.absmax, {0.78125f, 0.765625f});
      cria_nf4_free(matrix);
    }};

const Register thresholds{"nf4 thresholds one ulp either side", [](Context &context) {
                            std::vector<float> w;
                            for (int i = 0; i < 15; i++) {
                              float t = float((double(kCodes[i]) + double(kCodes[i + 1])) / 2);
                              for (float v : {std::nextafter(t, -2.0f), t, std::nextafter(t, 2.0f)})
                                w.push_back(v);
                            }
                            for (float c : kCodes) w.push_back(c);
                            while (w.size() < 64) w.push_back(1.0f);
                            quantise_case(context, 1, 64, 64, w);
                          }};

const Register sources{
    "nf4 from bf16 and f16", [](Context &context) {
      Random random(3);
      std::vector<float> w = rounded(random.normals(5 * 192, 0.1));
      Expected want = reference(w, 64);
      Array<uint16_t> source(context, bf16_of(w));
      cria_nf4 *matrix = nullptr;
      context.ok(cria_nf4_quantize(context.queue, 5, 192, 64, 0, CRIA_BF16, source, &matrix),
                 "nf4_quantize bf16");
      context.same("codes", exported(context, matrix).codes, want.codes);
      cria_nf4_free(matrix);
      // Halves 2^-14 .. 1 - 2^-11 by exponent and mantissa bits, so that the widening is exact.
      std::vector<uint16_t> half;
      std::vector<float> wide;
      for (int i = 0; i < 5 * 192; i++) {
        int exponent = 1 + int(random.below(14)), mantissa = int(random.below(1024)),
            sign = int(random.below(2));
        half.push_back(uint16_t(sign << 15 | exponent << 10 | mantissa));
        wide.push_back(float((sign ? -1 : 1) * std::ldexp(1.0 + mantissa / 1024.0, exponent - 15)));
      }
      Array<uint16_t> halves(context, half);
      context.ok(cria_nf4_quantize(context.queue, 5, 192, 64, 0, CRIA_F16, halves, &matrix),
                 "nf4_quantize f16");
      context.same("codes from f16", exported(context, matrix).codes, reference(wide, 64).codes);
      cria_nf4_free(matrix);
    }};

const Register refusals{
    "nf4 refuses bad input", [](Context &context) {
      std::vector<float> w(256, 0.5f);
      w[77] = INFINITY;
      Array<float> source(context, w);
      cria_nf4 *matrix = nullptr;
      context.refused(cria_nf4_quantize(context.queue, 4, 64, 64, 0, CRIA_F32, source, &matrix),
                      CRIA_NOT_FINITE, {"nf4_quantize", "77"});
      w[77] = NAN;
      Array<float> nan(context, w);
      context.refused(cria_nf4_quantize(context.queue, 4, 64, 64, 1, CRIA_F32, nan, &matrix),
                      CRIA_NOT_FINITE, {"nf4_quantize", "77"});
      context.refused(cria_nf4_quantize(context.queue, 4, 64, 48, 0, CRIA_F32, source, &matrix),
                      CRIA_INVALID_ARGUMENT, {"block", "48"});
      context.refused(cria_nf4_quantize(context.queue, -4, 64, 64, 0, CRIA_F32, source, &matrix),
                      CRIA_INVALID_ARGUMENT, {"-4"});
      context.refused(cria_nf4_quantize(context.queue, 4, 64, 64, 0, CRIA_I32, source, &matrix),
                      CRIA_INVALID_ARGUMENT, {"dtype"});
      context.refused(cria_nf4_dequantize(context.queue, nullptr, 0, 1, CRIA_F32, source),
                      CRIA_INVALID_ARGUMENT, {"nf4_dequantize"});
    }};

}  // namespace
}  // namespace conformance
