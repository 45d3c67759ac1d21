/*
 * nf4_linear.c - quantises a matrix to NF4, runs the linear layer forward and backward from the packed
 * weights, and prints how far both are from the unquantised matrix.
 *
 * Build:  cc nf4_linear.c $(pkg-config --cflags --libs cria) -lm
 */
#include <cria.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program with the library's message when a call failed. */
static void check(cria_status status) {
  if (status != CRIA_OK) {
    fprintf(stderr, "%s\n", cria_last_error());
    exit(1);
  }
}

static float *device_floats(cria_device *device, int64_t n) {
  void *address;
  check(cria_alloc(device, n * (int64_t)sizeof(float), &address));
  return address;
}

/* sqrt(sum (a - b)^2 / sum b^2): the relative error of a against b. Device memory is copied to the host. */
static double relative_error(cria_queue *queue, int64_t n, const float *a, const float *b) {
  float *x = malloc((size_t)n * sizeof *x), *y = malloc((size_t)n * sizeof *y);
  if (!x || !y) exit(1);
  check(cria_download(queue, n * (int64_t)sizeof *x, a, x));
  check(cria_download(queue, n * (int64_t)sizeof *y, b, y));
  double error = 0, size = 0;
  for (int64_t i = 0; i < n; i++) {
    error += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    size += (double)y[i] * y[i];
  }
  free(x);
  free(y);
  return sqrt(error / size);
}

int main(void) {
  const int64_t m = 32, n = 256, k = 320; /* x [m,k], w [n,k], y [m,n] */
  cria_device *device;
  cria_queue *queue;
  check(cria_device_open("cpu", 0, &device));
  check(cria_queue_create(device, &queue));
  printf("cria %s on %s (%s, %d threads)\n", cria_version(), cria_device_name(device),
         cria_device_isa(device), (int)cria_device_threads(device));

  float *w = device_floats(device, n * k), *x = device_floats(device, m * k),
        *dy = device_floats(device, m * n);
  check(cria_random_normal(queue, n * k, 1, 0, 0.02f, CRIA_F32, w));
  check(cria_random_normal(queue, m * k, 2, 0, 1, CRIA_F32, x));
  check(cria_random_normal(queue, m * n, 3, 0, 1, CRIA_F32, dy));

  cria_nf4 *quantised;
  int64_t bytes;
  check(cria_nf4_quantize(queue, n, k, 64, 1, CRIA_F32, w, &quantised));
  check(cria_nf4_info(quantised, NULL, NULL, NULL, NULL, &bytes));

  float *y = device_floats(device, m * n), *exact_y = device_floats(device, m * n);
  float *dx = device_floats(device, m * k), *exact_dx = device_floats(device, m * k);
  check(cria_nf4_linear(queue, quantised, m, x, 0, NULL, NULL, 0, 0, 0, NULL, y));
  check(cria_linear(queue, m, n, k, CRIA_F32, w, x, 0, NULL, NULL, 0, 0, 0, NULL, exact_y));
  check(cria_nf4_linear_bwd(queue, quantised, m, NULL, 0, NULL, NULL, 0, 0, 0, NULL, dy, 0, dx,
                            NULL, NULL));
  check(cria_linear_bwd(queue, m, n, k, CRIA_F32, w, NULL, 0, NULL, NULL, 0, 0, 0, NULL, dy, 0,
                        exact_dx, NULL, NULL, NULL));
  check(cria_queue_synchronize(queue));

  double forward = relative_error(queue, m * n, y, exact_y),
         backward = relative_error(queue, m * k, dx, exact_dx);
  printf("weights    %lld bytes as float32, %lld as NF4\n", (long long)(n * k * 4),
         (long long)bytes);
  printf("y = x W^T  relative error %.4f\n", forward);
  printf("dx = dy W  relative error %.4f\n", backward);

  float *all[] = {w, x, dy, y, exact_y, dx, exact_dx};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) check(cria_free(device, all[i]));
  check(cria_nf4_free(quantised));
  check(cria_queue_destroy(queue));
  check(cria_device_close(device));
  /* NF4 in blocks of 64 keeps normal weights to about 9.5 %; more than 12 % would be a defect. */
  return forward < 0.12 && backward < 0.12 ? 0 : 1;
}
