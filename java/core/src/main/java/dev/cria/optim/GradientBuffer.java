package dev.cria.optim;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.internal.Abi;
import dev.cria.internal.Optimizers;
import dev.cria.nn.Parameter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * The gradients of a list of parameters in one piece of f32 memory, so that clearing them and their
 * norm are single calls. Attaches a part of it to each parameter; backward passes add to it.
 */
public final class GradientBuffer implements AutoCloseable {
  /** Each gradient starts at a multiple of this many floats: a cache line. */
  private static final long ALIGNMENT = 16;

  private final List<Parameter> parameters;
  private final Scope scope = Scope.detached();
  private final Tensor flat;

  /** Makes zeroed gradients and attaches them; the parameters should be trainable. */
  public GradientBuffer(Device device, List<Parameter> parameters) {
    this.parameters = List.copyOf(parameters);
    Map<Parameter, Boolean> seen = new IdentityHashMap<>();
    long size = 0;
    for (Parameter parameter : this.parameters) {
      if (seen.put(parameter, true) != null) {
        throw new CriaException("gradient buffer: " + parameter + " is in the list twice");
      }
      size += padded(parameter.value().size());
    }
    long total = size;
    this.flat = scope.call(() -> Tensor.zeros(device, DType.F32, total));
    long start = 0;
    for (Parameter parameter : this.parameters) {
      Tensor value = parameter.value();
      parameter.attachGrad(flat.rows(start, value.size()).reshape(value.shape()));
      start += padded(value.size());
    }
  }

  /** The parameters, in the order given. */
  public List<Parameter> parameters() {
    return parameters;
  }

  /** Sets all gradients to zero. */
  public void zero() {
    flat.zero();
  }

  /** Global L2 norm of the gradients, summed in float64; not finite when a gradient is not. */
  public double norm() {
    MemorySegment out = Abi.scratch();
    Optimizers.sumSquares(flat.device().queue(), flat.size(), flat.address(), out);
    return Math.sqrt(out.get(ValueLayout.JAVA_DOUBLE, 0));
  }

  /** Bytes of the gradients. */
  public long byteSize() {
    return flat.byteSize();
  }

  /** Detaches the gradients and frees them. */
  @Override
  public void close() {
    for (Parameter parameter : parameters) {
      parameter.attachGrad(null);
    }
    scope.close();
  }

  private static long padded(long size) {
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
