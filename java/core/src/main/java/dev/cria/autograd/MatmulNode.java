package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Linear;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Products of the matrices in the last two axes of two tensors, either of them transposed. */
record MatmulNode(Tensor a, Tensor b, boolean transposeA, boolean transposeB) implements Node {
  static Tensor forward(Tensor a, Tensor b, boolean transposeA, boolean transposeB) {
    Check.f32("matmul", a);
    Check.f32("matmul", b);
    if (a.rank() < 2 || b.rank() < 2) {
      throw new CriaException("matmul: matrices expected, got " + a + " and " + b);
    }
    if (b.rank() == 2 && a.rank() > 2 && !transposeA) {
      // One matrix for all: the rows of a are one long list.
      long[] shape = a.shape();
      Tensor flat = forward(Ops.reshape(a, -1, a.dim(-1)), b, false, transposeB);
      shape[shape.length - 1] = flat.dim(1);
      return Ops.reshape(flat, shape);
    }
    int lead = a.rank() - 2;
    long[] shape = a.shape();
    if (a.rank() != b.rank()
        || !Arrays.equals(Arrays.copyOf(shape, lead), Arrays.copyOf(b.shape(), lead))) {
      throw new CriaException("matmul: leading dimensions differ: " + a + " x " + b);
    }
    long m = a.dim(transposeA ? -1 : -2);
    long k = a.dim(transposeA ? -2 : -1);
    long n = b.dim(transposeB ? -2 : -1);
    if (k != b.dim(transposeB ? -1 : -2)) {
      throw new CriaException(
          "matmul: inner dimensions differ: "
              + Arrays.toString(a.shape())
              + (transposeA ? "^T" : "")
              + " x "
              + Arrays.toString(b.shape())
              + (transposeB ? "^T" : ""));
    }
    shape[lead] = m;
    shape[lead + 1] = n;
    Tensor c = Tensor.empty(a.device(), DType.F32, shape);
    multiply(a, b, transposeA, transposeB, m, n, k, false, c);
    Tape tape = Tape.tracking(a, b);
    if (tape != null) {
      tape.append(
          new MatmulNode(a, b, transposeA, transposeB), c, new @Nullable Tensor[] {a, b}, a, b);
    }
    return c;
  }

  private static void multiply(
      Tensor a,
      Tensor b,
      boolean transposeA,
      boolean transposeB,
      long m,
      long n,
      long k,
      boolean accumulate,
      Tensor c) {
    long batch = 1;
    for (int i = 0; i < c.rank() - 2; i++) {
      batch *= c.dim(i);
    }
    Linear.matmul(
        a.device().queue(),
        batch,
        m,
        n,
        k,
        transposeA ? 1 : 0,
        transposeB ? 1 : 0,
        1f,
        a.address(),
        b.address(),
        accumulate ? 1 : 0,
        c.address());
  }

  @Override
  public void backward(Gradients g) {
    Tensor dc = g.output();
    long m = dc.dim(-2);
    long n = dc.dim(-1);
    long k = a.dim(transposeA ? -2 : -1);
    if (g.wanted(0)) {
      boolean accumulate = g.accumulates(0);
      if (transposeA) {
        multiply(b, dc, transposeB, true, k, m, n, accumulate, g.buffer(0));
      } else {
        multiply(dc, b, false, !transposeB, m, k, n, accumulate, g.buffer(0));
      }
    }
    if (g.wanted(1)) {
      boolean accumulate = g.accumulates(1);
      if (transposeB) {
        multiply(dc, a, true, transposeA, n, k, m, accumulate, g.buffer(1));
      } else {
        multiply(a, dc, !transposeA, false, k, n, m, accumulate, g.buffer(1));
      }
    }
  }
}
