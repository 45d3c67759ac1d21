package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.TensorSource;
import dev.cria.llm.Weights;
import dev.cria.llm.checkpoint.AtomicFolder;
import dev.cria.llm.checkpoint.HfFolder;
import dev.cria.llm.checkpoint.ModelWriter;
import dev.cria.llm.checkpoint.SourceWeights;
import dev.cria.llm.checkpoint.TokenizerCopy;
import dev.cria.llm.checkpoint.WeightReader;
import dev.cria.llm.gguf.GgufCheckpoint;
import dev.cria.llm.llama2c.Llama2cCheckpoint;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerFiles;
import dev.cria.llm.tokenizer.TokenizerLoader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Turns a checkpoint of any known format into a Hugging Face folder. */
@Command(
    name = "import",
    sortOptions = false,
    customSynopsis = "cria import SRC OUT [OPTIONS]",
    description = {
      "Convert a checkpoint into a model folder.",
      "Reads Hugging Face folders (also bitsandbytes NF4), GGUF files (F32, F16, BF16, Q8_0, Q4_0,"
          + " Q4_1) and llama2.c .bin files. Names and rotary order become those of Hugging Face;"
          + " the tokenizer inside a GGUF file is written out too."
    },
    footer = {
      "",
      "Examples:",
      "  cria import SmolLM2-135M-Instruct.Q4_1.gguf smollm2",
      "  cria import stories260K.bin stories --tokenizer tok512.model",
      "  cria import open_llama_3b_v2 open_llama_3b_nf4 --quantize nf4"
    })
final class ImportCommand extends CriaCommand {
  @Parameters(index = "0", paramLabel = "SRC", description = "Folder, .gguf or .bin file to read.")
  private Path source = Path.of("");

  @Parameters(index = "1", paramLabel = "OUT", description = "Model folder to write.")
  private Path target = Path.of("");

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description = "Tokenizer for the model: tokenizer.model, tokenizer.json or a GGUF file.")
  private @Nullable Path tokenizerFile;

  @Mixin private StorageOptions storage = new StorageOptions();

  @Override
  protected void check() {
    storage.check(this);
  }

  @Override
  protected int run() throws IOException {
    AtomicFolder.checkAbsent(target, storage.overwrite);
    try (Device device = openDevice();
        Progress progress = progress()) {
      if (Files.isDirectory(source)) {
        try (HfFolder folder = HfFolder.open(source, device)) {
          Tokenizer given = tokenizerFile == null ? null : TokenizerLoader.loadFile(tokenizerFile);
          write(
              device,
              progress,
              folder.config(),
              folder,
              Weights.AS_STORED,
              given,
              Optional.empty());
        }
        return 0;
      }
      if (!Files.isRegularFile(source)) {
        throw new InvalidInputException(source.toString(), "no such file or folder");
      }
      if (source.toString().toLowerCase(Locale.ROOT).endsWith(".bin")) {
        try (Llama2cCheckpoint checkpoint = Llama2cCheckpoint.open(source)) {
          fromFile(device, progress, checkpoint.config(), checkpoint, null, Optional.empty());
        }
      } else {
        try (GgufCheckpoint checkpoint = GgufCheckpoint.open(source)) {
          Tokenizer inside = tokenizerFile == null ? TokenizerLoader.loadFile(source) : null;
          fromFile(
              device,
              progress,
              checkpoint.config(),
              checkpoint,
              inside,
              checkpoint.file().string("tokenizer.chat_template"));
        }
      }
    }
    return 0;
  }

  private void fromFile(
      Device device,
      Progress progress,
      LlamaConfig config,
      TensorSource tensors,
      @Nullable Tokenizer inside,
      Optional<String> template)
      throws IOException {
    Tokenizer tokenizer = tokenizerFile == null ? inside : TokenizerLoader.loadFile(tokenizerFile);
    write(
        device,
        progress,
        config,
        new SourceWeights(tensors, device),
        Weights.F32,
        tokenizer,
        template);
  }

  private void write(
      Device device,
      Progress progress,
      LlamaConfig config,
      WeightReader reader,
      Weights otherwise,
      @Nullable Tokenizer tokenizer,
      Optional<String> template) {
    if (tokenizer != null) {
      Llama.checkSize(
          tokenizer, config, String.valueOf(tokenizerFile == null ? source : tokenizerFile));
    }
    long begin = System.nanoTime();
    WeightReader shown = new WeightProgress(reader, config, progress, "reading");
    try (Llama model = Llama.of(config, device, storage.form(otherwise), shown)) {
      ModelWriter writer = ModelWriter.of(model).overwrite(storage.overwrite);
      if (tokenizer != null) {
        writer.with(folder -> TokenizerFiles.write(tokenizer, folder, template, config.context()));
      } else if (Files.isDirectory(source)) {
        writer.with(new TokenizerCopy(source));
      }
      writer.write(target);
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("out", target.toString());
      facts.put("parameters", config.parameters());
      facts.put("bytes", model.byteSize());
      facts.put("tokenizer", tokenizer != null || Files.isDirectory(source));
      facts.put("seconds", (System.nanoTime() - begin) * 1e-9);
      result(facts);
      say(
          "%s: %,d parameters, %s, %.1f s",
          target,
          config.parameters(),
          Sizes.show(model.byteSize()),
          (System.nanoTime() - begin) * 1e-9);
      if (tokenizer == null && Files.isRegularFile(source)) {
        say("The file has no tokenizer; import it again with --tokenizer to generate or train.");
      }
    }
  }
}
