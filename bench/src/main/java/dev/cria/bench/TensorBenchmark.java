package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import java.lang.foreign.MemorySegment;
import org.openjdk.jmh.annotations.Param;

/** Making, converting and copying tensors of [tokens, C]. */
public class TensorBenchmark extends OperationBenchmark {
  /** What is done. */
  public enum Kind {
    FILL,
    COPY,
    CAST_TO_BF16,
    CAST_TO_F32,
    FROM_HOST,
    TO_HOST,
    RANDOM_NORMAL,
    RANDOM_UNIFORM,
    RANDOM_NORMAL_BF16
  }

  @Param public Kind kind = Kind.FILL;

  @Param("4096")
  public int tokens;

  @Override
  protected Operation prepare() {
    long[] shape = {tokens, model.width};
    double n = (double) tokens * model.width;
    Tensor x = numbers(shape);
    return switch (kind) {
      case FILL -> Operation.of(Work.bytes(4 * n), () -> x.fill(1));
      case COPY -> Operation.of(Work.bytes(8 * n), x::copy);
      case CAST_TO_BF16 -> Operation.of(Work.bytes(6 * n), () -> x.to(DType.BF16));
      case CAST_TO_F32 -> {
        Tensor half = x.to(DType.BF16);
        yield Operation.of(Work.bytes(6 * n), () -> half.to(DType.F32));
      }
      case FROM_HOST -> {
        float[] host = new float[Math.toIntExact(x.size())];
        yield Operation.of(Work.bytes(8 * n), () -> x.copyFrom(host));
      }
      case TO_HOST -> {
        MemorySegment host = MemorySegment.ofArray(new float[Math.toIntExact(x.size())]);
        yield Operation.of(Work.bytes(8 * n), () -> x.copyTo(host));
      }
      case RANDOM_NORMAL -> random(4 * n, () -> Tensor.randn(device(), 1, 0, 1, DType.F32, shape));
      case RANDOM_UNIFORM ->
          random(4 * n, () -> Tensor.uniform(device(), 1, 0, 1, DType.F32, shape));
      case RANDOM_NORMAL_BF16 ->
          random(2 * n, () -> Tensor.randn(device(), 1, 0, 1, DType.BF16, shape));
    };
  }

  private static Operation random(double bytes, Runnable body) {
    return Operation.of(Work.bytes(bytes), body);
  }
}
