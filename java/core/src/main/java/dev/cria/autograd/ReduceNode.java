package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Elementary;
import org.jspecify.annotations.Nullable;

/**
 * Sum, mean or largest element, of all elements or along an axis. The gradient of the largest
 * element is shared evenly by the elements that equal it.
 *
 * @param axis reduced axis, -1 for all of them
 * @param x input of a maximum
 * @param y output of a maximum
 */
record ReduceNode(Kind kind, long[] shape, int axis, @Nullable Tensor x, @Nullable Tensor y)
    implements Node {
  /** Reductions in the order of {@code cria_reduce_op}. */
  enum Kind {
    SUM,
    MEAN,
    MAX;

    String label() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  static Tensor all(Kind kind, Tensor x) {
    Check.f32(kind.label(), x);
    return track(kind, x, -1, compute(kind, x, 1, x.size(), 1, new long[0]));
  }

  static Tensor forward(Kind kind, Tensor x, int axis) {
    Check.f32(kind.label(), x);
    int place = Check.axis(kind.label(), x, axis);
    return track(kind, x, place, along(kind, x, place, false));
  }

  private static Tensor track(Kind kind, Tensor x, int axis, Tensor y) {
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      @Nullable Tensor[] inputs = {x};
      if (kind == Kind.MAX) {
        tape.append(new ReduceNode(kind, x.shape(), axis, x, y), y, inputs, x, y);
      } else {
        tape.append(new ReduceNode(kind, x.shape(), axis, null, null), y, inputs);
      }
    }
    return y;
  }

  /** The reduction along an axis, which stays with length 1 if {@code keep}; not recorded. */
  static Tensor along(Kind kind, Tensor x, int axis, boolean keep) {
    long outer = 1;
    long inner = 1;
    long[] shape = x.shape();
    long[] result = new long[shape.length - (keep ? 0 : 1)];
    int place = 0;
    for (int i = 0; i < shape.length; i++) {
      if (i < axis) {
        outer *= shape[i];
      } else if (i > axis) {
        inner *= shape[i];
      }
      if (i != axis) {
        result[place++] = shape[i];
      } else if (keep) {
        result[place++] = 1;
      }
    }
    return compute(kind, x, outer, shape[axis], inner, result);
  }

  private static Tensor compute(Kind kind, Tensor x, long outer, long n, long inner, long[] shape) {
    if (n == 0) {
      if (kind != Kind.SUM) {
        throw new CriaException(kind.label() + ": nothing to reduce in " + x);
      }
      return Tensor.zeros(x.device(), DType.F32, shape);
    }
    Tensor y = Tensor.empty(x.device(), DType.F32, shape);
    Elementary.reduce(
        x.device().queue(), kind.ordinal(), outer, n, inner, x.address(), y.address());
    return y;
  }

  @Override
  public void backward(Gradients g) {
    Tensor dy = g.output();
    if (kind == Kind.MAX && x != null && y != null) {
      // 1 where x is the maximum: everywhere but where max - x is positive.
      Tensor ones = Tensor.full(dy.device(), 1f, shape);
      Tensor below = Ops.sub(Broadcast.expand(withAxis(y), shape), x);
      Tensor equal = Ops.sub(ones, UnaryNode.wherePositive(below, ones));
      Tensor count = axis < 0 ? withAxis(Ops.sum(equal)) : along(Kind.SUM, equal, axis, true);
      g.give(0, Ops.mul(equal, Ops.div(withAxis(dy), count)));
      return;
    }
    float factor = 1f;
    if (kind == Kind.MEAN) {
      long n = axis >= 0 ? shape[axis] : size(shape);
      factor = 1f / n;
    }
    Tensor scaled = factor == 1f ? dy : Ops.mulScalar(dy, factor);
    g.give(0, Broadcast.expand(withAxis(scaled), shape));
  }

  /** The reduced tensor with axes of length 1 in place of the reduced ones. */
  private Tensor withAxis(Tensor reduced) {
    long[] dims = shape.clone();
    for (int i = 0; i < dims.length; i++) {
      if (axis < 0 || i == axis) {
        dims[i] = 1;
      }
    }
    return reduced.reshape(dims);
  }

  private static long size(long[] shape) {
    long size = 1;
    for (long dim : shape) {
      size *= dim;
    }
    return size;
  }
}
