package dev.cria.llm.checkpoint;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Tensor;
import dev.cria.llm.Keys;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.Weights;

/** New random weights: matrices normal(0, initializer_range), gains 1. */
public final class RandomWeights implements WeightReader {
  private final LlamaConfig config;
  private final Device device;
  private final DType dtype;
  private final long seed;

  /** Each weight depends on the seed and its name. */
  public RandomWeights(LlamaConfig config, Device device, Weights form, long seed) {
    this.config = config;
    this.device = device;
    this.dtype =
        form == Weights.F32 || form == Weights.AS_STORED || form == Weights.NF4_F32
            ? DType.F32
            : DType.BF16;
    this.seed = seed;
  }

  @Override
  public Tensor dense(String name, long... shape) {
    if (shape.length == 1) {
      return Tensor.full(device, 1, shape);
    }
    return Tensor.randn(
        device, Keys.of(seed, name), 0, (float) config.initializerRange(), dtype, shape);
  }
}
