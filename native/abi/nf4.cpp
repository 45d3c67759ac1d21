// nf4.cpp: entries that make, read and free NF4 matrices.
#include "abi/call.h"

using namespace cria;

namespace {

void check_block_size(const Arguments &check, int64_t block_size) {
  check.between("block_size", block_size, 32, 4096);
  check.that((block_size & (block_size - 1)) == 0, "block_size must be a power of two", block_size);
}

}  // namespace

cria_status cria_nf4_quantize(cria_queue *queue, int64_t n, int64_t k, int64_t block_size,
                              int32_t double_quant, cria_dtype dtype, const void *w,
                              cria_nf4 **matrix) {
  return guarded("nf4_quantize", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("matrix", matrix);
    check_block_size(check, block_size);
    check.flag("double_quant", double_quant);
    check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16, CRIA_F16});
    check.pointer("w", w, check.count({check.size("n", n), check.size("k", k)}));
    return table.nf4_quantize(queue, n, k, block_size, double_quant, dtype, w, matrix);
  });
}

cria_status cria_nf4_import(cria_queue *queue, int64_t n, int64_t k, int64_t block_size,
                            const uint8_t *codes, const float *code_map, const float *absmax,
                            const uint8_t *absmax_codes, int64_t nested_block_size,
                            const float *nested_absmax, const float *nested_map,
                            float nested_offset, cria_nf4 **matrix) {
  return guarded("nf4_import", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("matrix", matrix);
    check_block_size(check, block_size);
    const int64_t count = check.count({check.size("n", n), check.size("k", k)});
    check.pointer("codes", codes, count);
    check.handle("code_map", code_map);
    if (absmax) {
      check.that(!absmax_codes, "absmax and absmax_codes exclude each other");
    } else if (count > 0 || nested_map) {  // an empty matrix needs neither
      check.pointer("absmax_codes", absmax_codes, count);
      check.pointer("nested_absmax", nested_absmax, count);
      check.handle("nested_map", nested_map);
      check.at_least("nested_block_size", nested_block_size, 1);
      check.finite("nested_offset", nested_offset);
    }
    return table.nf4_import(queue, n, k, block_size, codes, code_map, absmax, absmax_codes,
                            nested_block_size, nested_absmax, nested_map, nested_offset, matrix);
  });
}

cria_status cria_nf4_info(const cria_nf4 *matrix, int64_t *n, int64_t *k, int64_t *block_size,
                          int64_t *nested_block_size, int64_t *bytes) {
  return guarded("nf4_info", [&](const Arguments &check) -> cria_status {
    check.handle("matrix", matrix);
    return device_of_handle(matrix)->table->nf4_info(matrix, n, k, block_size, nested_block_size,
                                                     bytes);
  });
}

cria_status cria_nf4_export(cria_queue *queue, const cria_nf4 *matrix, uint8_t *codes,
                            float *code_map, float *absmax, uint8_t *absmax_codes,
                            float *nested_absmax, float *nested_map, float *nested_offset) {
  return guarded("nf4_export", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("matrix", matrix);
    check.same_device(queue, device_of_handle(matrix));
    return table.nf4_export(queue, matrix, codes, code_map, absmax, absmax_codes, nested_absmax,
                            nested_map, nested_offset);
  });
}

cria_status cria_nf4_dequantize(cria_queue *queue, const cria_nf4 *matrix, int64_t row,
                                int64_t rows, cria_dtype dtype, void *out) {
  return guarded("nf4_dequantize", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.handle("matrix", matrix);
    check.same_device(queue, device_of_handle(matrix));
    check.dtype("dtype", dtype, {CRIA_F32, CRIA_BF16});
    int64_t n = 0, k = 0;
    table.nf4_info(matrix, &n, &k, nullptr, nullptr, nullptr);
    check.between("row", row, 0, n);
    check.between("rows", rows, 0, n - row);
    check.pointer("out", out, rows * k);
    return table.nf4_dequantize(queue, matrix, row, rows, dtype, out);
  });
}

cria_status cria_nf4_free(cria_nf4 *matrix) {
  return guarded("nf4_free", [&](const Arguments &) -> cria_status {
    return matrix ? device_of_handle(matrix)->table->nf4_free(matrix) : CRIA_OK;
  });
}
