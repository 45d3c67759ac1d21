package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Operations that only move elements: transposing, slicing, joining, repeating. */
final class Strided {
  private Strided() {}

  static Tensor transpose(Tensor x, int... axes) {
    int[] places = axes.clone();
    if (places.length != x.rank()) {
      throw new CriaException("transpose: axes " + Arrays.toString(axes) + " of " + x);
    }
    Broadcast.checkRank("transpose", places.length);
    int[] inverse = new int[places.length];
    Arrays.fill(inverse, -1);
    for (int i = 0; i < places.length; i++) {
      places[i] = Check.axis("transpose", x, places[i]);
      if (inverse[places[i]] >= 0) {
        throw new CriaException("transpose: axes " + Arrays.toString(axes) + " repeat one");
      }
      inverse[places[i]] = i;
    }
    Tensor y = permute(x, places);
    track(x, y, g -> g.give(0, permute(g.output(), inverse)));
    return y;
  }

  private static Tensor permute(Tensor x, int[] axes) {
    long[] from = x.shape();
    long[] fromStrides = Broadcast.dense(from);
    long[] dims = new long[axes.length];
    long[] strides = new long[axes.length];
    for (int i = 0; i < axes.length; i++) {
      dims[i] = from[axes[i]];
      strides[i] = fromStrides[axes[i]];
    }
    Tensor y = Tensor.empty(x.device(), x.dtype(), dims);
    Broadcast.copy(x, 0, strides, y, 0, Broadcast.dense(dims), dims);
    return y;
  }

  static Tensor slice(Tensor x, int axis, long start, long length) {
    int place = Check.axis("slice", x, axis);
    if (start < 0 || length < 0 || start > x.dim(place) - length) {
      throw new CriaException(
          "slice: " + start + " to " + (start + length) + " on axis " + axis + " of " + x);
    }
    if (place == 0) {
      return x.rows(start, length);
    }
    Broadcast.checkRank("slice", x.rank());
    long[] shape = x.shape();
    long[] strides = Broadcast.dense(shape);
    long offset = start * strides[place];
    long[] dims = shape.clone();
    dims[place] = length;
    Tensor y = Tensor.empty(x.device(), x.dtype(), dims);
    Broadcast.copy(x, offset, strides, y, 0, Broadcast.dense(dims), dims);
    track(
        x,
        y,
        g -> {
          Tensor dx = Tensor.zeros(g.output().device(), DType.F32, shape);
          Broadcast.copy(g.output(), 0, Broadcast.dense(dims), dx, offset, strides, dims);
          g.give(0, dx);
        });
    return y;
  }

  static Tensor concat(int axis, Tensor... parts) {
    if (parts.length == 0) {
      throw new CriaException("concat: nothing to join");
    }
    Tensor first = parts[0];
    int place = Check.axis("concat", first, axis);
    Broadcast.checkRank("concat", first.rank());
    long[] shape = first.shape();
    shape[place] = 0;
    for (Tensor part : parts) {
      long[] other = part.shape();
      if (part.dtype() != first.dtype() || other.length != shape.length) {
        throw new CriaException("concat: " + first + " and " + part);
      }
      long length = other[place];
      other[place] = shape[place];
      if (!Arrays.equals(other, shape)) {
        throw new CriaException("concat: " + first + " and " + part + " along axis " + axis);
      }
      shape[place] += length;
    }
    Tensor y = Tensor.empty(first.device(), first.dtype(), shape);
    long[] strides = Broadcast.dense(shape);
    long offset = 0;
    for (Tensor part : parts) {
      long[] dims = part.shape();
      Broadcast.copy(part, 0, Broadcast.dense(dims), y, offset, strides, dims);
      offset += dims[place] * strides[place];
    }
    @Nullable Tensor[] inputs = parts.clone();
    Tape tape = Tape.tracking(inputs);
    if (tape != null) {
      tape.append(g -> split(g, parts, place, strides), y, inputs);
    }
    return y;
  }

  private static void split(Gradients g, Tensor[] parts, int axis, long[] strides) {
    long offset = 0;
    for (int i = 0; i < parts.length; i++) {
      long[] dims = parts[i].shape();
      if (g.wanted(i)) {
        Tensor part = Tensor.empty(g.output().device(), DType.F32, dims);
        Broadcast.copy(g.output(), offset, strides, part, 0, Broadcast.dense(dims), dims);
        g.give(i, part);
      }
      offset += dims[axis] * strides[axis];
    }
  }

  static Tensor broadcastTo(Tensor x, long... shape) {
    long[] target = shape.clone();
    boolean fits = x.rank() <= target.length;
    for (int i = 1; fits && i <= x.rank(); i++) {
      fits = x.dim(-i) == 1 || x.dim(-i) == target[target.length - i];
    }
    if (!fits) {
      throw new CriaException("broadcastTo: " + x + " cannot become " + Arrays.toString(shape));
    }
    Tensor y = Broadcast.expand(x, target);
    long[] from = x.shape();
    track(x, y, g -> g.add(0, 1f, Broadcast.reduce(g.output(), from)));
    return y;
  }

  private static void track(Tensor x, Tensor y, Node node) {
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      tape.append(node, y, new @Nullable Tensor[] {x});
    }
  }
}
