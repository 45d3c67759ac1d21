package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.LlamaConfigJson;
import dev.cria.llm.Weights;
import dev.cria.llm.checkpoint.AtomicFolder;
import dev.cria.llm.checkpoint.ModelWriter;
import dev.cria.llm.checkpoint.RandomWeights;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerFiles;
import dev.cria.llm.tokenizer.TokenizerLoader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes a model with random weights. */
@Command(
    name = "init",
    sortOptions = false,
    customSynopsis = "cria init --config FILE OUT [OPTIONS]",
    description = {
      "Make a model folder with random weights of any shape.",
      "Each weight depends on the seed and its name; NF4 weights are quantised one matrix at a time."
    },
    footer = {"", "Example: cria init --config config.json new-model --quantize nf4"})
final class InitCommand extends CriaCommand {
  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "Shape: a config.json in the form of Hugging Face.")
  private Path config = Path.of("");

  @Parameters(paramLabel = "OUT", description = "Model folder to write.")
  private Path target = Path.of("");

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description = "Tokenizer to put beside the weights.")
  private @Nullable Path tokenizerFile;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "0",
      description = "Seed of the weights.")
  private long seed;

  @Mixin private StorageOptions storage = new StorageOptions();

  @Override
  protected void check() {
    storage.check(this);
  }

  @Override
  protected int run() throws IOException {
    AtomicFolder.checkAbsent(target, storage.overwrite);
    LlamaConfig shape = LlamaConfigJson.read(config);
    Tokenizer tokenizer = null;
    if (tokenizerFile != null) {
      tokenizer = TokenizerLoader.loadFile(tokenizerFile);
      Llama.checkSize(tokenizer, shape, tokenizerFile.toString());
    }
    Weights form = storage.form(Weights.F32);
    try (Device device = openDevice();
        Progress progress = progress();
        Phases phases = new Phases()) {
      WeightProgress reader =
          new WeightProgress(
              new RandomWeights(shape, device, form, seed), shape, progress, "weights");
      try (Llama model = Llama.of(shape, device, form, reader)) {
        phases.done("weights");
        ModelWriter writer = ModelWriter.of(model).overwrite(storage.overwrite);
        Tokenizer own = tokenizer;
        if (own != null) {
          writer.with(
              folder -> TokenizerFiles.write(own, folder, Optional.empty(), shape.context()));
        }
        writer.write(target);
        phases.done("write");
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("out", target.toString());
        facts.put("parameters", shape.parameters());
        facts.put("bytes", model.byteSize());
        facts.put("phases", phases.toList());
        result(facts);
        say("%s: %,d parameters, %s", target, shape.parameters(), Sizes.show(model.byteSize()));
        phases.lines().forEach(this::say);
      }
    }
    return 0;
  }
}
