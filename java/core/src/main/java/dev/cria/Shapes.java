package dev.cria;

import java.util.Arrays;

/** Arithmetic on dimensions, with overflow and size errors that name them. */
final class Shapes {
  private Shapes() {}

  /** Number of elements. */
  static long size(long[] shape) {
    long size = 1;
    for (long dim : shape) {
      if (dim < 0) {
        throw new CriaException("tensor: negative dimension in " + Arrays.toString(shape));
      }
      try {
        size = Math.multiplyExact(size, dim);
      } catch (ArithmeticException e) {
        throw new CriaException("tensor: " + Arrays.toString(shape) + " is too large", e);
      }
    }
    return size;
  }

  static long bytes(long[] shape, DType dtype) {
    long size = size(shape);
    if (size > Long.MAX_VALUE / 16) {
      throw new CriaException("tensor: " + dtype + Arrays.toString(shape) + " is too large");
    }
    return size * dtype.bytes();
  }

  static void expectSize(String operation, long values, long[] shape) {
    if (size(shape) != values) {
      throw new CriaException(
          operation + ": " + values + " values given for shape " + Arrays.toString(shape));
    }
  }

  /** The dimensions with -1 replaced by what makes the size right. */
  static long[] resolve(Tensor tensor, long size, long[] dims) {
    long[] result = dims.clone();
    int free = -1;
    long known = 1;
    for (int i = 0; i < result.length; i++) {
      if (result[i] == -1 && free < 0) {
        free = i;
      } else {
        known *= result[i];
      }
    }
    if (free >= 0 && known > 0 && size % known == 0) {
      result[free] = size / known;
      known = size;
    }
    if (known != size || (free >= 0 && result[free] < 0)) {
      throw new CriaException("reshape: " + tensor + " cannot become " + Arrays.toString(dims));
    }
    return result;
  }
}
