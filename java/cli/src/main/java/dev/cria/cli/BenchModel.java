package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.LlamaConfigJson;
import dev.cria.llm.Weights;
import dev.cria.llm.checkpoint.RandomWeights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The model of a measurement: a folder, or a shape with random weights. */
final class BenchModel {
  @Option(
      names = {"-m", "--model"},
      order = 1,
      paramLabel = "DIR",
      description = "Model folder to measure; without it random weights of a shape.")
  private @Nullable Path model;

  @Option(
      names = "--config",
      order = 2,
      paramLabel = "FILE",
      description = "Shape of the random weights: a config.json; without it OpenLLaMA-3B.")
  private @Nullable Path config;

  @Option(
      names = "--weights",
      order = 3,
      paramLabel = "FORM",
      defaultValue = "nf4",
      description = "Form of the weights in memory: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE}).")
  private Weights form = Weights.NF4;

  /** The shape of OpenLLaMA-3B (Geng and Liu 2023). */
  private static LlamaConfig openLlama3b() {
    return shape(3200, 8640, 26, 32, 32000, false);
  }

  /** A LLaMA of 15 million parameters, its head tied to the embedding. */
  static LlamaConfig small() {
    return shape(288, 768, 6, 6, 32000, true);
  }

  private static LlamaConfig shape(
      int hidden, int intermediate, int layers, int heads, int vocab, boolean tied) {
    return new LlamaConfig(
        hidden,
        intermediate,
        layers,
        heads,
        heads,
        hidden / heads,
        vocab,
        8192,
        1e-6,
        10000,
        tied,
        OptionalInt.of(1),
        List.of(2),
        OptionalInt.empty(),
        Optional.empty(),
        0.02);
  }

  void check(CriaCommand command) {
    if (model != null && config != null) {
      throw command.usage("give --model or --config, not both");
    }
  }

  /** Loads or makes the model. */
  Llama open(Device device, Progress progress) throws IOException {
    if (model != null) {
      return Llama.load(model, device, form);
    }
    LlamaConfig shape = config == null ? openLlama3b() : LlamaConfigJson.read(config);
    return random(shape, device, form, progress);
  }

  static Llama random(LlamaConfig shape, Device device, Weights form, Progress progress) {
    RandomWeights weights = new RandomWeights(shape, device, form, 0);
    return Llama.of(
        shape, device, form, new WeightProgress(weights, shape, progress, "random weights"));
  }
}
