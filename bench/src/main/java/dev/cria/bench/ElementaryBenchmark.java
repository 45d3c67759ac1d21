package dev.cria.bench;

import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import java.util.List;
import java.util.function.Supplier;
import org.openjdk.jmh.annotations.Param;

/**
 * Elementary operations, one of each kind that has a kernel of its own, on [tokens, C]. Backward is
 * the gradients of all inputs.
 */
public class ElementaryBenchmark extends OperationBenchmark {
  /** An operation. */
  public enum Kind {
    /** x + y. */
    ADD,
    /** x + b, with a row b for all rows. */
    ADD_ROW,
    /** x * y. */
    MUL,
    /** 2 x. */
    MUL_SCALAR,
    EXP,
    SILU,
    /** Over each row. */
    SOFTMAX,
    LOG_SOFTMAX,
    /** Of all elements. */
    SUM,
    /** Of each row. */
    MEAN_ROWS,
    /** Of each column. */
    SUM_COLUMNS,
    /** Of each row, as segments of a vector. */
    SEGMENT_SUM,
    GATHER_ROWS,
    TRANSPOSE,
    /** Of x and y, row by row. */
    CONCAT
  }

  @Param public Kind kind = Kind.ADD;

  @Param("4096")
  public int tokens;

  @Param({"FORWARD", "BACKWARD"})
  public Direction direction = Direction.FORWARD;

  @Override
  protected Operation prepare() {
    Tensor x = numbers(tokens, model.width);
    Tensor y = numbers(tokens, model.width);
    Tensor row = numbers(model.width);
    Tensor index = indices(tokens, tokens);
    int[] rows = rows();
    return switch (kind) {
      case ADD -> operation(12, 12, () -> Ops.add(x, y), x, y);
      case ADD_ROW -> operation(8, 8, () -> Ops.add(x, row), x, row);
      case MUL -> operation(12, 20, () -> Ops.mul(x, y), x, y);
      case MUL_SCALAR -> operation(8, 8, () -> Ops.mulScalar(x, 2), x);
      case EXP -> operation(8, 12, () -> Ops.exp(x), x);
      case SILU -> operation(8, 12, () -> Ops.silu(x), x);
      case SOFTMAX -> operation(8, 12, () -> Ops.softmax(x), x);
      case LOG_SOFTMAX -> operation(8, 12, () -> Ops.logSoftmax(x), x);
      case SUM -> operation(4, 4, () -> Ops.sum(x), x);
      case MEAN_ROWS -> operation(4, 4, () -> Ops.mean(x, 1), x);
      case SUM_COLUMNS -> operation(4, 4, () -> Ops.sum(x, 0), x);
      case SEGMENT_SUM -> operation(4, 4, () -> Ops.segmentSum(x.reshape(-1), rows), x);
      case GATHER_ROWS -> operation(8, 8, () -> Ops.gatherRows(x, index), x);
      case TRANSPOSE -> operation(8, 8, () -> Ops.transpose(x, 1, 0), x);
      case CONCAT -> operation(16, 16, () -> Ops.concat(1, x, y), x, y);
    };
  }

  /**
   * The operation in the direction asked for.
   *
   * @param forwardBytes bytes moved per element of x
   * @param backwardBytes the same of the backward pass
   */
  private Operation operation(
      double forwardBytes, double backwardBytes, Supplier<Tensor> forward, Tensor... inputs) {
    double n = (double) tokens * model.width;
    return differentiable(
        direction,
        List.of(inputs),
        forward,
        gradient(),
        Work.bytes(forwardBytes * n),
        Work.bytes(backwardBytes * n));
  }

  /** Where each row begins, and the last one ends. */
  private int[] rows() {
    int[] offsets = new int[tokens + 1];
    for (int i = 0; i <= tokens; i++) {
      offsets[i] = i * model.width;
    }
    return offsets;
  }

  private Tensor gradient() {
    return switch (kind) {
      case SUM -> numbers();
      case MEAN_ROWS, SEGMENT_SUM -> numbers(tokens);
      case SUM_COLUMNS -> numbers(model.width);
      case TRANSPOSE -> numbers(model.width, tokens);
      case CONCAT -> numbers(tokens, 2L * model.width);
      default -> numbers(tokens, model.width);
    };
  }
}
