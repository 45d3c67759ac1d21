package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import java.util.Arrays;

/** Argument checks of the operations: the messages name the operation and what it got. */
final class Check {
  private Check() {}

  static void f32(String operation, Tensor tensor) {
    if (tensor.dtype() != DType.F32) {
      throw new CriaException(operation + ": f32 expected, got " + tensor);
    }
  }

  static void i32(String operation, Tensor tensor) {
    if (tensor.dtype() != DType.I32) {
      throw new CriaException(operation + ": i32 indices expected, got " + tensor);
    }
  }

  static void matrix(String operation, Tensor tensor) {
    f32(operation, tensor);
    if (tensor.rank() != 2) {
      throw new CriaException(operation + ": an f32 matrix expected, got " + tensor);
    }
  }

  /** An f32 (or i32) tensor of exactly this shape. */
  static void shape(String operation, String what, Tensor tensor, DType dtype, long... shape) {
    if (tensor.dtype() != dtype || !tensor.hasShape(shape)) {
      throw new CriaException(
          operation
              + ": "
              + what
              + " is "
              + tensor
              + ", expected "
              + dtype
              + Arrays.toString(shape));
    }
  }

  static void sameShape(String operation, Tensor a, Tensor b) {
    f32(operation, a);
    f32(operation, b);
    if (!a.sameShape(b)) {
      throw new CriaException(operation + ": shapes differ: " + a + " and " + b);
    }
  }

  /** The axis counted from the front. */
  static int axis(String operation, Tensor tensor, int axis) {
    int place = axis < 0 ? axis + tensor.rank() : axis;
    if (place < 0 || place >= tensor.rank()) {
      throw new CriaException(operation + ": " + tensor + " has no axis " + axis);
    }
    return place;
  }
}
