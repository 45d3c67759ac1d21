package dev.cria.bench;

import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import java.util.List;
import org.openjdk.jmh.annotations.Param;

/** Three f32 products of square matrices in each layout. Backward is both gradients. */
public class MatmulBenchmark extends OperationBenchmark {
  /** Which of the two factors is transposed. */
  public enum Layout {
    NN,
    NT,
    TN,
    TT
  }

  @Param public Layout layout = Layout.NN;

  @Param({"FORWARD", "BACKWARD"})
  public Direction direction = Direction.FORWARD;

  @Override
  protected Operation prepare() {
    int n = model.square;
    int batch = 3;
    Tensor a = numbers(batch, n, n);
    Tensor b = numbers(batch, n, n);
    boolean transposeA = layout == Layout.TN || layout == Layout.TT;
    boolean transposeB = layout == Layout.NT || layout == Layout.TT;
    double flops = 2.0 * batch * n * n * n;
    double bytes = 12.0 * batch * n * n;
    return differentiable(
        direction,
        List.of(a, b),
        () -> Ops.matmul(a, b, transposeA, transposeB),
        numbers(batch, n, n),
        Work.f32(flops, bytes),
        Work.f32(2 * flops, 20.0 * batch * n * n));
  }
}
