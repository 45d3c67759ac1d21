package dev.cria.llm;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.llm.checkpoint.WeightReader;
import dev.cria.nn.Nf4Matrix;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The weights of a model and the memory they live in. */
final class LlamaWeights implements AutoCloseable {
  /** Weights per scale of an NF4 matrix made here. */
  static final int NF4_BLOCK = 64;

  private static final String EMBEDDING = "model.embed_tokens.weight";
  private static final String FINAL_GAIN = "model.norm.weight";
  private static final String HEAD = "lm_head.weight";

  private final Device device;
  private final Weights form;
  private final Scope scope = Scope.detached();
  private final Map<String, Parameter> parameters = new LinkedHashMap<>();
  private final Map<String, Weight> linears = new LinkedHashMap<>();
  private final LlamaBlock[] blocks;
  private @Nullable Parameter embedding;
  private @Nullable Parameter finalGain;
  private Weight.@Nullable Dense head;
  private @Nullable Tensor inverseFrequencies;

  private LlamaWeights(LlamaConfig config, Device device, Weights form) {
    this.device = device;
    this.form = form;
    this.blocks = new LlamaBlock[config.layers()];
  }

  /** Reads every weight of the model, one at a time, and converts it to the wanted form. */
  static LlamaWeights read(LlamaConfig c, Device device, Weights form, WeightReader reader) {
    LlamaWeights weights = new LlamaWeights(c, device, form);
    try {
      weights.embedding = weights.dense(reader, EMBEDDING, c.vocab(), c.hidden());
      for (int i = 0; i < c.layers(); i++) {
        weights.blocks[i] = weights.block(c, reader, i);
      }
      weights.finalGain = weights.gain(reader, FINAL_GAIN, c.hidden());
      weights.head =
          new Weight.Dense(
              c.tied() ? weights.embedding() : weights.dense(reader, HEAD, c.vocab(), c.hidden()));
      weights.inverseFrequencies = weights.frequencies(c);
      return weights;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  private LlamaBlock block(LlamaConfig c, WeightReader reader, int index) {
    String path = LlamaBlock.path(index);
    Parameter attention = gain(reader, path + "input_layernorm.weight", c.hidden());
    Weight[] matrices = new Weight[LlamaBlock.MATRICES.size()];
    for (int m = 0; m < 4; m++) {
      matrices[m] = matrix(c, reader, path, m);
    }
    Parameter feedForward = gain(reader, path + "post_attention_layernorm.weight", c.hidden());
    for (int m = 4; m < matrices.length; m++) {
      matrices[m] = matrix(c, reader, path, m);
    }
    return new LlamaBlock(c, index, attention, feedForward, matrices);
  }

  private Weight matrix(LlamaConfig c, WeightReader reader, String path, int m) {
    String module = path + LlamaBlock.MATRICES.get(m);
    String name = module + ".weight";
    long[] shape = LlamaBlock.shape(c, m);
    Nf4Matrix stored = reader.nf4(name, shape[0], shape[1]);
    Weight weight;
    if (form == Weights.NF4 || form == Weights.NF4_F32 || form == Weights.AS_STORED) {
      if (stored != null) {
        weight = new Weight.Nf4(stored);
      } else if (form == Weights.AS_STORED) {
        weight = new Weight.Dense(dense(reader, name, shape));
      } else {
        try (Scope temporary = Scope.open()) {
          weight = new Weight.Nf4(Nf4Matrix.quantize(reader.dense(name, shape), NF4_BLOCK, true));
        }
      }
    } else if (stored != null) {
      try (stored;
          Scope temporary = Scope.open()) {
        weight = new Weight.Dense(keep(name, stored.dequantize(denseType(DType.F32))));
      }
    } else {
      weight = new Weight.Dense(dense(reader, name, shape));
    }
    linears.put(module, weight);
    return weight;
  }

  private Parameter dense(WeightReader reader, String name, long... shape) {
    try (Scope temporary = Scope.open()) {
      Tensor stored = reader.dense(name, shape);
      return keep(name, as(denseType(stored.dtype()), stored));
    }
  }

  private Parameter gain(WeightReader reader, String name, long width) {
    try (Scope temporary = Scope.open()) {
      return keep(name, as(DType.F32, reader.dense(name, width)));
    }
  }

  private DType denseType(DType stored) {
    return switch (form) {
      case AS_STORED -> stored == DType.F16 ? DType.F32 : stored;
      case F32, NF4_F32 -> DType.F32;
      case BF16, NF4 -> DType.BF16;
    };
  }

  private static Tensor as(DType wanted, Tensor stored) {
    return stored.dtype() == wanted ? stored : stored.to(wanted);
  }

  private Parameter keep(String name, Tensor value) {
    Parameter parameter = new Parameter(name, scope.adopt(value), false);
    parameters.put(name, parameter);
    return parameter;
  }

  /** base^(-2i/D), scaled as the config says: float32 [D/2]. */
  private Tensor frequencies(LlamaConfig c) {
    float[] values = new float[c.headDim() / 2];
    for (int i = 0; i < values.length; i++) {
      // Exponent and power in float32 steps, as the published code computes them.
      float power = (float) Math.pow(c.ropeTheta(), (float) (2 * i) / c.headDim());
      double frequency = 1f / power;
      values[i] =
          (float)
              (c.ropeScaling().isPresent() ? c.ropeScaling().get().scale(frequency) : frequency);
    }
    try (Scope temporary = Scope.open()) {
      return scope.adopt(Tensor.of(device, values, values.length));
    }
  }

  Map<String, Parameter> parameters() {
    return Collections.unmodifiableMap(parameters);
  }

  Map<String, Weight> linears() {
    return Collections.unmodifiableMap(linears);
  }

  LlamaBlock block(int index) {
    return blocks[index];
  }

  Parameter embedding() {
    return read(embedding);
  }

  Parameter finalGain() {
    return read(finalGain);
  }

  Weight.Dense head() {
    return read(head);
  }

  Tensor inverseFrequencies() {
    return read(inverseFrequencies);
  }

  private static <T> T read(@Nullable T value) {
    if (value == null) {
      throw new IllegalStateException("weights are not read yet");
    }
    return value;
  }

  long byteSize() {
    long bytes = 0;
    for (Parameter parameter : parameters.values()) {
      bytes += parameter.value().byteSize();
    }
    for (Weight weight : linears.values()) {
      if (weight instanceof Weight.Nf4) {
        bytes += weight.byteSize();
      }
    }
    return bytes;
  }

  @Override
  public void close() {
    for (Weight weight : linears.values()) {
      if (weight instanceof Weight.Nf4 nf4) {
        nf4.matrix().close();
      }
    }
    scope.close();
  }
}
