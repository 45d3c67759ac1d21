package dev.cria.cli;

import dev.cria.llm.LlamaConfig;
import dev.cria.llm.checkpoint.HfFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Says what a model folder holds, without loading it. */
@Command(
    name = "info",
    sortOptions = false,
    customSynopsis = "cria info MODEL [OPTIONS]",
    description = "Show the shape, size and storage of a model.",
    footer = {"", "Example: cria info my-model"})
final class InfoCommand extends CriaCommand {
  @Parameters(paramLabel = "MODEL", description = "Model folder.")
  private Path model = Path.of("");

  @Override
  protected int run() {
    try (HfFolder folder = HfFolder.open(model)) {
      folder.checkTensors();
      LlamaConfig c = folder.config();
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("layers", c.layers());
      facts.put("hidden", c.hidden());
      facts.put("intermediate", c.intermediate());
      facts.put("heads", c.heads());
      facts.put("kv_heads", c.kvHeads());
      facts.put("head_width", c.headDim());
      facts.put("vocabulary", c.vocab());
      facts.put("context", c.context());
      facts.put("rope_base", c.ropeTheta());
      facts.put("rms_eps", c.rmsEps());
      facts.put("tied_head", c.tied());
      facts.put("parameters", c.parameters());
      facts.put("nf4", folder.quantized());
      Map<String, Integer> types = new TreeMap<>();
      folder.names().forEach(name -> types.merge(folder.dtype(name), 1, Integer::sum));
      facts.put("tensors", types);
      facts.put("data_bytes", folder.dataBytes());
      facts.put(
          "tokenizer",
          Files.exists(model.resolve("tokenizer.model"))
              || Files.exists(model.resolve("tokenizer.json")));
      result(facts);
      facts.forEach((name, value) -> say("%-14s %s", name.replace('_', ' '), value));
    }
    return 0;
  }
}
