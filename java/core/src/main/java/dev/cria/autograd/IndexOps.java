package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Indexing;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Operations that pick elements by index, and sums over segments. */
final class IndexOps {
  private IndexOps() {}

  static Tensor gatherRows(Tensor x, Tensor index) {
    Check.f32("gatherRows", x);
    Check.i32("gatherRows", index);
    if (x.rank() < 1) {
      throw new CriaException("gatherRows: rows expected, got " + x);
    }
    long rows = x.dim(0);
    long width = width(x.shape());
    long[] shape = x.shape();
    shape[0] = index.size();
    Tensor y = Tensor.empty(x.device(), DType.F32, shape);
    Indexing.gatherRows(
        x.device().queue(), index.size(), rows, width, index.address(), x.address(), y.address());
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      tape.append(
          g ->
              Indexing.scatterAddRows(
                  g.output().device().queue(),
                  index.size(),
                  rows,
                  width,
                  index.address(),
                  g.output().address(),
                  g.sum(0).address()),
          y,
          new @Nullable Tensor[] {x},
          index);
    }
    return y;
  }

  private static long width(long[] shape) {
    long width = 1;
    for (int i = 1; i < shape.length; i++) {
      width *= shape[i];
    }
    return width;
  }

  static Tensor pick(Tensor x, Tensor index) {
    Check.matrix("pick", x);
    Check.shape("pick", "index", index, DType.I32, x.dim(0));
    long columns = x.dim(1);
    if (x.size() > Integer.MAX_VALUE) {
      throw new CriaException("pick: " + x + " has more than 2^31 - 1 elements");
    }
    int[] flat = index.toInts();
    for (int row = 0; row < flat.length; row++) {
      if (flat[row] < 0 || flat[row] >= columns) {
        throw new CriaException("pick: index " + flat[row] + " in row " + row + " of " + x);
      }
      flat[row] += Math.toIntExact(row * columns);
    }
    Tensor places = Tensor.ofInts(x.device(), flat, flat.length);
    return Ops.reshape(gatherRows(Ops.reshape(x, -1, 1), places), flat.length);
  }

  static Tensor segmentSum(Tensor x, int[] offsets) {
    Check.f32("segmentSum", x);
    if (x.rank() != 1 || offsets.length < 1) {
      throw new CriaException(
          "segmentSum: " + x + " with offsets " + Arrays.toString(offsets) + "; a vector expected");
    }
    for (int i = 0; i < offsets.length; i++) {
      int least = i == 0 ? 0 : offsets[i - 1];
      if (offsets[i] < least || offsets[i] > x.size()) {
        throw new CriaException(
            "segmentSum: offset "
                + offsets[i]
                + " at "
                + i
                + "; ascending within "
                + x
                + " expected");
      }
    }
    long segments = offsets.length - 1L;
    Tensor at = Tensor.ofInts(x.device(), offsets, offsets.length);
    Tensor y = Tensor.empty(x.device(), DType.F32, segments);
    Indexing.segmentSum(x.device().queue(), segments, at.address(), x.address(), y.address());
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      long size = x.size();
      boolean whole = segments > 0 && offsets[0] == 0 && offsets[offsets.length - 1] == size;
      tape.append(
          g -> {
            Tensor dx =
                whole
                    ? Tensor.empty(g.output().device(), DType.F32, size)
                    : Tensor.zeros(g.output().device(), DType.F32, size);
            Indexing.segmentBroadcast(
                g.output().device().queue(),
                segments,
                at.address(),
                g.output().address(),
                dx.address());
            g.give(0, dx);
          },
          y,
          new @Nullable Tensor[] {x},
          at);
    }
    return y;
  }
}
