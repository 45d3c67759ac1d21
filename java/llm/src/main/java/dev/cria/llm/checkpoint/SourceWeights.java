package dev.cria.llm.checkpoint;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Tensor;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.TensorSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Weights of a {@link TensorSource}: another checkpoint format, read as float32. */
public final class SourceWeights implements WeightReader {
  /** Most bytes of a staging buffer where device memory is not addressable. */
  private static final long STAGE = 16L << 20;

  private final TensorSource source;
  private final Device device;

  /** The source stays the caller's to close. */
  public SourceWeights(TensorSource source, Device device) {
    this.source = source;
    this.device = device;
  }

  @Override
  public Tensor dense(String name, long... shape) {
    if (!source.names().contains(name)) {
      throw new InvalidInputException(name, "the checkpoint has no such tensor");
    }
    long[] stored = source.shape(name);
    if (!Arrays.equals(stored, shape)) {
      throw new InvalidInputException(
          name,
          "shape " + Arrays.toString(stored) + ", the config needs " + Arrays.toString(shape));
    }
    Tensor tensor = Tensor.empty(device, DType.F32, shape);
    long columns = shape[shape.length - 1];
    long rows = shape.length == 1 ? 1 : shape[0];
    long step = Math.max(1, Math.min(rows, STAGE / (4 * columns)));
    Tensor flat = tensor.reshape(rows, columns);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stage = arena.allocate(4 * step * columns, 64);
      for (long row = 0; row < rows; row += step) {
        long count = Math.min(step, rows - row);
        source.readRows(name, row, count, stage);
        flat.rows(row, count).copyFrom(stage.asSlice(0, 4 * count * columns));
      }
    }
    return tensor;
  }
}
