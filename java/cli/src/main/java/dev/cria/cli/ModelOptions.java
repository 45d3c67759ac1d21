package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.Weights;
import dev.cria.llm.lora.Lora;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The model a command works on, with its adapter. */
final class ModelOptions {
  @Option(
      names = {"-m", "--model"},
      required = true,
      paramLabel = "DIR",
      description = "Model folder, as written by 'cria import' or downloaded from Hugging Face.")
  Path model = Path.of("");

  @Option(
      names = "--adapter",
      paramLabel = "DIR",
      description = "LoRA adapter folder (PEFT layout) to put on the model.")
  @Nullable Path adapter;

  @Option(
      names = "--quantize",
      paramLabel = "nf4",
      description = "Quantise the matrices of the blocks while loading; nf4 is the only kind.")
  @Nullable Quantization quantize;

  /** Kinds of quantisation. */
  enum Quantization {
    /** 4-bit NormalFloat with double quantisation. */
    NF4
  }

  Weights weights() {
    return quantize == null ? Weights.AS_STORED : Weights.NF4;
  }

  /** Loads the model and attaches the adapter. */
  Llama load(Device device) {
    Llama loaded = Llama.load(model, device, weights());
    try {
      if (adapter != null) {
        Lora.load(loaded, adapter);
      }
      return loaded;
    } catch (RuntimeException | Error e) {
      loaded.close();
      throw e;
    }
  }
}
