// cublas_test.cpp: products through the test double of cuBLAS named on the command line, against products by rows.
#include <dlfcn.h>

#include <climits>
#include <cstdio>
#include <string>
#include <vector>

#include "abi/error.h"
#include "host/cublas.h"

namespace {

using cria::gpu::bf16;
using cria::gpu::Cublas;
using cria::gpu::CublasApi;
using cria::gpu::Operand;
using cria::gpu::Product;

int g_passed = 0, g_failed = 0;

void check(bool ok, const std::string &what) {
  (ok ? g_passed : g_failed)++;
  if (!ok) std::printf("FAIL %s\n", what.c_str());
}

int g_state = 1;
int small_integer() {  // -3..3
  g_state = g_state * 1103515245 + 12345;
  return (g_state >> 16 & 0x7FFF) % 7 - 3;
}

template <class T>
T from_float(float x);
template <>
float from_float<float>(float x) {
  return x;
}
template <>
bf16 from_float<bf16>(float x) {
  return {uint16_t(cria::gpu::bits_of(x) >> 16)};  // exact for small integers
}

struct Shape {
  int64_t m, n, k, batch;
  bool a_along_k, b_along_k, accumulate;
};

// Integers: the sums are exact. Pitches and strides are larger than need be.
template <class T>
void product_case(const Cublas &cublas, const Shape &s) {
  const auto matrix = [&](bool along_k, int64_t rows, std::vector<T> &values) {
    const int64_t lines = along_k ? rows : s.k, pitch = (along_k ? s.k : rows) + 3;
    const int64_t stride = lines * pitch + 5;
    values.resize(size_t(s.batch * stride));
    for (T &value : values) value = from_float<T>(float(small_integer()));
    return Operand<T>{values.data(), pitch, along_k, stride};
  };
  std::vector<T> a_values, b_values;
  const Operand<T> a = matrix(s.a_along_k, s.m, a_values), b = matrix(s.b_along_k, s.n, b_values);
  const int64_t c_pitch = s.n + 2, c_stride = s.m * c_pitch + 7;
  std::vector<float> c(size_t(s.batch * c_stride));
  for (float &value : c) value = float(small_integer());
  std::vector<float> want = c;
  const float alpha = 0.5f;
  const auto at = [](const Operand<T> &o, int64_t batch, int64_t row, int64_t k) {
    const int64_t place = o.along_k ? row * o.pitch + k : k * o.pitch + row;
    return cria::gpu::to_float(o.data[batch * o.stride + place]);
  };
  for (int64_t i = 0; i < s.batch; ++i) {
    for (int64_t row = 0; row < s.m; ++row) {
      for (int64_t column = 0; column < s.n; ++column) {
        float sum = 0;
        for (int64_t k = 0; k < s.k; ++k) sum += at(a, i, row, k) * at(b, i, column, k);
        float &out = want[size_t(i * c_stride + row * c_pitch + column)];
        out = alpha * sum + (s.accumulate ? out : 0);
      }
    }
  }
  Product<T> product{s.m, s.n, s.k, a, b, c.data(), c_pitch, alpha, s.accumulate};
  product.batch = s.batch;
  product.c_stride = c_stride;
  const std::string label = std::to_string(s.batch) + "x" + std::to_string(s.m) + "x" +
                            std::to_string(s.n) + "x" + std::to_string(s.k) + " layout " +
                            std::to_string(s.a_along_k) + std::to_string(s.b_along_k);
  check(cublas.multiply(product), label + " was taken");
  check(c == want, label + " is the product");
}

template <class T>
void refusal_cases(const Cublas &cublas, int (*products)()) {
  std::vector<T> data(64);
  std::vector<float> c(64);
  const Product<T> good{2, 3, 4, {data.data(), 4, true}, {data.data(), 4, true}, c.data(), 3};
  const int before = products();
  for (int64_t size : {int64_t{0}, int64_t{INT_MAX} + 1}) {
    Product<T> p = good;
    p.m = size;
    check(!cublas.multiply(p), "m " + std::to_string(size) + " is refused");
    p = good;
    p.k = size;
    check(!cublas.multiply(p), "k " + std::to_string(size) + " is refused");
    p = good;
    p.batch = size;
    check(!cublas.multiply(p), "batch " + std::to_string(size) + " is refused");
  }
  Product<T> p = good;
  p.b.pitch = int64_t{INT_MAX} + 1;
  check(!cublas.multiply(p), "a large pitch is refused");
  p = good;
  p.dropout = {0.5f, 1};
  check(!cublas.multiply(p), "dropout is refused");
  check(products() == before, "what is refused calls nothing");
}

template <class Body>
void failure_case(const char *what, Body body) {
  try {
    body();
    check(false, what);
  } catch (const cria::Error &e) {
    check(e.status == CRIA_DEVICE_ERROR && e.message.find("14") != std::string::npos,
          std::string(what) + ": " + e.message);
  }
}

}  // namespace

int main(int, char **arguments) {
  const char *fake = arguments[1];
  void *library = dlopen(fake, RTLD_NOW);
  const auto handles = reinterpret_cast<int (*)()>(dlsym(library, "fake_handles"));
  const auto products = reinterpret_cast<int (*)()>(dlsym(library, "fake_products"));
  const auto fail_next = reinterpret_cast<void (*)(int)>(dlsym(library, "fake_fail_next"));
  check(!CublasApi::open({"libcria_none.so"}), "a library that is not there");
  check(!CublasApi::open({"libm.so.6"}), "a library without the functions");
  const auto api = CublasApi::open({"libcria_none.so", "libm.so.6", fake});
  check(api.has_value(), "the first library that serves");
  if (!api) return 1;

  int stream = 0;
  alignas(256) static char workspace[256];
  {
    const Cublas cublas(*api, &stream, workspace, sizeof workspace);
    for (int mode = 0; mode < 8; ++mode) {
      for (const Shape &size : {Shape{1, 1, 1, 1, false, false, false},
                                {5, 3, 7, 1, false, false, false},
                                {4, 9, 2, 3, false, false, false},
                                {17, 8, 33, 2, false, false, false}}) {
        Shape s = size;
        s.a_along_k = mode & 1;
        s.b_along_k = mode & 2;
        s.accumulate = mode & 4;
        product_case<float>(cublas, s);
        product_case<bf16>(cublas, s);
      }
    }
    refusal_cases<float>(cublas, products);
    refusal_cases<bf16>(cublas, products);
    failure_case("a product that fails", [&] {
      float x = 1;
      fail_next(14);
      cublas.multiply(Product<float>{1, 1, 1, {&x, 1, true}, {&x, 1, true}, &x, 1});
    });
    check(handles() == 1, "one handle is alive");
  }
  failure_case("a handle that cannot be made", [&] {
    fail_next(14);
    Cublas(*api, &stream, workspace, sizeof workspace);
  });
  check(handles() == 0, "no handle is left");
  std::printf("cublas: %d passed, %d failed\n", g_passed, g_failed);
  return g_failed != 0;
}
