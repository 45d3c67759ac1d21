package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Abi;
import dev.cria.internal.Elementary;
import dev.cria.internal.Indexing;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Element-wise pairs of tensors whose shapes are aligned at the last axis, where an axis of length
 * 1 (or a missing one) repeats.
 */
final class Broadcast {
  static final int MAX_RANK = 8;

  private Broadcast() {}

  /** The common shape. */
  static long[] shape(String operation, Tensor a, Tensor b) {
    if (a.sameShape(b)) {
      return a.shape();
    }
    int rank = Math.max(a.rank(), b.rank());
    long[] shape = new long[rank];
    for (int i = 1; i <= rank; i++) {
      long da = i <= a.rank() ? a.dim(-i) : 1;
      long db = i <= b.rank() ? b.dim(-i) : 1;
      if (da != db && da != 1 && db != 1) {
        throw new CriaException(operation + ": shapes do not broadcast: " + a + " and " + b);
      }
      shape[rank - i] = da == 1 ? db : da;
    }
    return shape;
  }

  /** a op b, not recorded; {@code op} as in {@code cria_binary_op}. */
  static Tensor compute(String operation, int op, Tensor a, Tensor b) {
    Check.f32(operation, a);
    Check.f32(operation, b);
    long[] shape = shape(operation, a, b);
    checkRank(operation, shape.length);
    Tensor y = Tensor.empty(a.device(), DType.F32, shape);
    boolean flat = a.sameShape(b);
    long[] dims = flat ? new long[] {y.size()} : shape;
    long[] stridesA = flat ? new long[] {1} : strides(a.shape(), shape.length);
    long[] stridesB = flat ? stridesA : strides(b.shape(), shape.length);
    MemorySegment lists = Abi.scratch();
    Elementary.binary(
        a.device().queue(),
        op,
        dims.length,
        longs(lists, 0, dims),
        a.address(),
        longs(lists, 1, stridesA),
        b.address(),
        longs(lists, 2, stridesB),
        y.address());
    return y;
  }

  /** The tensor repeated to a larger shape, as a copy. */
  static Tensor expand(Tensor x, long[] shape) {
    checkRank("broadcast", shape.length);
    Tensor y = Tensor.empty(x.device(), x.dtype(), shape);
    copy(x, 0, strides(x.shape(), shape.length), y, 0, dense(shape), shape);
    return y;
  }

  /** The sum over the axes along which {@code shape} was repeated to that of the tensor. */
  static Tensor reduce(Tensor gradient, long[] shape) {
    Tensor result = gradient;
    int missing = gradient.rank() - shape.length;
    for (int axis = 0; axis < gradient.rank(); axis++) {
      long target = axis < missing ? 1 : shape[axis - missing];
      if (target == 1 && gradient.dim(axis) != 1) {
        result = ReduceNode.along(ReduceNode.Kind.SUM, result, axis, true);
      }
    }
    return result.reshape(shape);
  }

  /** Strides of a dense tensor aligned to {@code rank} axes, 0 where it repeats. */
  static long[] strides(long[] shape, int rank) {
    long[] strides = new long[rank];
    long step = 1;
    for (int i = 1; i <= shape.length; i++) {
      long dim = shape[shape.length - i];
      strides[rank - i] = dim == 1 ? 0 : step;
      step *= dim;
    }
    return strides;
  }

  /** Strides of a dense tensor. */
  static long[] dense(long[] shape) {
    long[] strides = new long[shape.length];
    long step = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = step;
      step *= shape[i];
    }
    return strides;
  }

  /** Copies a box of elements; offsets and strides in elements. */
  static void copy(
      Tensor from,
      long fromOffset,
      long[] fromStrides,
      Tensor to,
      long toOffset,
      long[] toStrides,
      long[] dims) {
    MemorySegment lists = Abi.scratch();
    int bytes = from.dtype().bytes();
    Indexing.copyStrided(
        from.device().queue(),
        bytes,
        dims.length,
        longs(lists, 0, dims),
        at(from, fromOffset * bytes),
        longs(lists, 1, fromStrides),
        at(to, toOffset * bytes),
        longs(lists, 2, toStrides));
  }

  static void checkRank(String operation, int rank) {
    if (rank > MAX_RANK) {
      throw new CriaException(operation + ": rank " + rank + " is above " + MAX_RANK);
    }
  }

  private static MemorySegment at(Tensor tensor, long bytes) {
    return MemorySegment.ofAddress(tensor.address().address() + bytes);
  }

  private static MemorySegment longs(MemorySegment lists, int slot, long[] values) {
    MemorySegment list = lists.asSlice(slot * MAX_RANK * 8L, MAX_RANK * 8L);
    for (int i = 0; i < values.length; i++) {
      list.setAtIndex(ValueLayout.JAVA_LONG, i, values[i]);
    }
    return list;
  }
}
