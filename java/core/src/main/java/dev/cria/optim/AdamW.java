package dev.cria.optim;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.internal.Optimizers;
import dev.cria.nn.Parameter;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * AdamW (Loshchilov and Hutter 2019). A bf16 parameter gets an f32 master copy that is updated and
 * rounded back. Owns its state: close it.
 */
public final class AdamW implements AutoCloseable {
  private static final long BLOCK = 256;

  /** What is remembered of a parameter; which tensors there are depends on the configuration. */
  private record State(
      Parameter parameter,
      @Nullable Tensor master,
      Tensor mean,
      Tensor square,
      @Nullable Tensor meanScale,
      @Nullable Tensor squareScale) {}

  private final AdamWConfig config;
  private final Scope scope = Scope.detached();
  private final List<State> states = new ArrayList<>();
  private long stepCount;

  /** A fresh state for these parameters. */
  public AdamW(List<Parameter> parameters, AdamWConfig config) {
    this.config = config;
    scope.run(
        () -> {
          for (Parameter parameter : parameters) {
            states.add(fresh(parameter));
          }
        });
  }

  private State fresh(Parameter parameter) {
    Tensor value = parameter.value();
    long n = value.size();
    long blocks = (n + BLOCK - 1) / BLOCK;
    Tensor master = value.dtype() == DType.BF16 ? value.to(DType.F32) : null;
    DType type = config.eightBit() ? DType.U8 : DType.F32;
    return new State(
        parameter,
        master,
        Tensor.zeros(value.device(), type, n),
        Tensor.zeros(value.device(), type, n),
        config.eightBit() ? Tensor.zeros(value.device(), DType.F32, blocks) : null,
        config.eightBit() ? Tensor.zeros(value.device(), DType.F32, blocks) : null);
  }

  /**
   * Updates all trainable parameters from their gradients, which stay as they are.
   *
   * @param learningRate lr of this step
   * @param gradScale factor on the gradients: one over the token count, clipping
   */
  public void step(float learningRate, float gradScale) {
    stepCount++;
    for (State state : states) {
      Tensor grad = state.parameter.grad();
      if (state.parameter.trainable()) {
        if (grad == null) {
          throw new CriaException("adamw: " + state.parameter + " has no gradient buffer");
        }
        update(state, grad, learningRate, gradScale);
      }
    }
  }

  private void update(State state, Tensor grad, float learningRate, float gradScale) {
    Tensor value = state.parameter.value();
    Tensor master = state.master;
    MemorySegment queue = value.device().queue();
    MemorySegment p = master == null ? value.address() : master.address();
    MemorySegment bf16 = master == null ? MemorySegment.NULL : value.address();
    if (state.meanScale == null || state.squareScale == null) {
      Optimizers.adamw(
          queue,
          value.size(),
          p,
          bf16,
          grad.address(),
          gradScale,
          learningRate,
          config.beta1(),
          config.beta2(),
          config.eps(),
          config.weightDecay(),
          stepCount,
          state.mean.address(),
          state.square.address());
    } else {
      Optimizers.adamw8(
          queue,
          value.size(),
          p,
          bf16,
          grad.address(),
          gradScale,
          learningRate,
          config.beta1(),
          config.beta2(),
          config.eps(),
          config.weightDecay(),
          stepCount,
          state.mean.address(),
          state.meanScale.address(),
          state.square.address(),
          state.squareScale.address());
    }
  }

  /** Steps taken. */
  public long stepCount() {
    return stepCount;
  }

  /** Sets the steps taken, when a state is restored. */
  public void setStepCount(long stepCount) {
    if (stepCount < 0) {
      throw new CriaException("adamw: step count is " + stepCount);
    }
    this.stepCount = stepCount;
  }

  /**
   * The state itself, not a copy, by name: for parameter P the tensors P.mean and P.square; in 8
   * bits also P.mean_scale and P.square_scale; for bf16 also P.master. Saving their bytes and the
   * step count, and copying the bytes back into an optimiser of the same parameters and
   * configuration, continues with the same bits.
   */
  public Map<String, Tensor> state() {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (State state : states) {
      String name = state.parameter.name();
      put(named, name + ".mean", state.mean);
      put(named, name + ".mean_scale", state.meanScale);
      put(named, name + ".square", state.square);
      put(named, name + ".square_scale", state.squareScale);
      put(named, name + ".master", state.master);
    }
    return named;
  }

  private static void put(Map<String, Tensor> named, String name, @Nullable Tensor tensor) {
    if (tensor != null && named.put(name, tensor) != null) {
      throw new CriaException("adamw: two parameters give the state the name " + name);
    }
  }

  /** Bytes of the state. */
  public long byteSize() {
    long bytes = 0;
    for (Tensor tensor : state().values()) {
      bytes += tensor.byteSize();
    }
    return bytes;
  }

  /** Frees the state. */
  @Override
  public void close() {
    scope.close();
  }
}
