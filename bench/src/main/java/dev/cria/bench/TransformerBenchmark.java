package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import java.util.List;
import org.openjdk.jmh.annotations.Param;

/** The operations of a block that are bound by memory. */
public class TransformerBenchmark extends OperationBenchmark {
  /** An operation. */
  public enum Kind {
    RMS_NORM,
    ROPE,
    SWI_GLU,
    EMBEDDING
  }

  @Param public Kind kind = Kind.RMS_NORM;

  @Param("4096")
  public int tokens;

  @Param({"FORWARD", "BACKWARD"})
  public Direction direction = Direction.FORWARD;

  @Override
  protected Operation prepare() {
    return switch (kind) {
      case RMS_NORM -> rmsNorm();
      case ROPE -> rope();
      case SWI_GLU -> swiGlu();
      case EMBEDDING -> embedding();
    };
  }

  /** Backward is the gradient of the input; the gain is frozen. */
  private Operation rmsNorm() {
    double n = (double) tokens * model.width;
    Tensor x = numbers(tokens, model.width);
    Tensor gain = numbers(model.width);
    return differentiable(
        direction,
        List.of(x),
        () -> Ops.rmsNorm(x, gain, 1e-6f),
        numbers(tokens, model.width),
        Work.f32(4 * n, 8 * n),
        Work.f32(8 * n, 12 * n));
  }

  private Operation rope() {
    double n = (double) tokens * model.width;
    int[] count = new int[tokens];
    float[] frequencies = new float[model.headWidth() / 2];
    for (int i = 0; i < tokens; i++) {
      count[i] = i;
    }
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = (float) Math.pow(10000, -(double) i / frequencies.length);
    }
    Tensor x = numbers(tokens, model.width);
    Tensor positions = Tensor.ofInts(device(), count, tokens);
    Tensor inverse = Tensor.of(device(), frequencies, frequencies.length);
    Work work = Work.f32(3 * n, 8 * n);
    return differentiable(
        direction,
        List.of(x),
        () -> Ops.rope(x, model.heads, positions, inverse),
        numbers(tokens, model.width),
        work,
        work);
  }

  private Operation swiGlu() {
    double n = (double) tokens * model.hidden;
    Tensor gate = numbers(tokens, model.hidden);
    Tensor up = numbers(tokens, model.hidden);
    return differentiable(
        direction,
        List.of(gate, up),
        () -> Ops.swiGlu(gate, up),
        numbers(tokens, model.hidden),
        Work.f32(4 * n, 12 * n),
        Work.f32(10 * n, 20 * n));
  }

  /** Backward adds each row to the gradient of the table. */
  private Operation embedding() {
    double n = (double) tokens * model.width;
    Tensor table = numbers(DType.BF16, 1, model.vocabulary, model.width);
    Tensor ids = indices(tokens, model.vocabulary);
    if (direction == Direction.BACKWARD) {
      table.attachGradient(Tensor.zeros(device(), DType.F32, table.shape()));
    }
    return differentiable(
        direction,
        List.of(),
        () -> Ops.embedding(table, ids),
        numbers(tokens, model.width),
        Work.bytes(6 * n),
        Work.f32(n, 12 * n));
  }
}
