package dev.cria.cli;

import dev.cria.CriaException;
import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.Weights;
import dev.cria.llm.checkpoint.AtomicFolder;
import dev.cria.llm.checkpoint.ModelWriter;
import dev.cria.llm.lora.Adapter;
import dev.cria.llm.lora.Lora;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Adds an adapter to the weights of its model. */
@Command(
    name = "merge",
    sortOptions = false,
    customSynopsis = "cria merge --model DIR --adapter DIR --out DIR [OPTIONS]",
    description = {
      "Write a model with an adapter added to its weights: W + scale B A, matrix by matrix.",
      "The sum is made in float32 and stored like the model; a merged NF4 model becomes bf16 unless"
          + " --dtype or --quantize says otherwise."
    },
    footer = {"", "Example: cria merge --model base --adapter adapter --out merged"})
final class MergeCommand extends CriaCommand {
  @Option(
      names = {"-m", "--model"},
      required = true,
      paramLabel = "DIR",
      description = "Model folder.")
  private Path model = Path.of("");

  @Option(
      names = "--adapter",
      required = true,
      paramLabel = "DIR",
      description = "Adapter folder (PEFT layout).")
  private Path adapter = Path.of("");

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Model folder to write.")
  private Path target = Path.of("");

  @Mixin private StorageOptions storage = new StorageOptions();

  @Override
  protected void check() {
    storage.check(this);
  }

  @Override
  protected int run() throws CriaException {
    AtomicFolder.checkAbsent(target, storage.overwrite);
    try (Device device = openDevice();
        Llama llama = Llama.load(model, device, Weights.AS_STORED)) {
      Adapter lora = Lora.load(llama, adapter);
      ModelWriter.of(llama)
          .form(storage.form(Weights.AS_STORED))
          .merge(lora)
          .overwrite(storage.overwrite)
          .write(target);
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("out", target.toString());
      facts.put("matrices", lora.modules().size());
      result(facts);
      say("%s: %d matrices changed", target, lora.modules().size());
    }
    return 0;
  }
}
