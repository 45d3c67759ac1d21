package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Opening a model folder. */
@Command(
    name = "load",
    sortOptions = false,
    customSynopsis = "cria bench load --model DIR [OPTIONS]",
    description = {
      "Measure how long a model folder takes to open.",
      "After the first time its files are read from the page cache."
    },
    footer = {"", "Example: cria bench load --model open-llama-3b --weights nf4"})
final class BenchLoadCommand extends BenchRun {
  @Option(
      names = {"-m", "--model"},
      order = 1,
      required = true,
      paramLabel = "DIR",
      description = "Model folder.")
  private Path model = Path.of("");

  @Option(
      names = "--weights",
      order = 2,
      paramLabel = "FORM",
      defaultValue = "as_stored",
      description = "Form of the weights in memory: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE}).")
  private Weights form = Weights.AS_STORED;

  @Override
  protected void measure(Device device) throws IOException {
    double[] seconds = new double[repeats];
    long bytes = 0;
    try (Stream<Path> files = Files.list(model)) {
      List<Path> shards = files.filter(f -> f.toString().endsWith(".safetensors")).toList();
      for (Path shard : shards) {
        bytes += Files.size(shard);
      }
    }
    try (Phases phases = new Phases()) {
      for (int r = -1; r < repeats; r++) {
        long begin = System.nanoTime();
        try (Llama opened = Llama.load(model, device, form)) {
          if (r >= 0) {
            seconds[r] = (System.nanoTime() - begin) * 1e-9;
            fact("model_bytes", opened.byteSize());
          }
        }
      }
      fact("peak_resident_bytes", phases.peak());
    }
    Measured time = Measured.of(seconds);
    double stored = bytes;
    Measured rate = time.map(s -> stored / s);
    fact("form", form.name().toLowerCase(java.util.Locale.ROOT));
    fact("file_bytes", bytes);
    fact("seconds", time);
    fact("bytes_per_second", rate);
    say("%s as %s: %s s", model, form.name().toLowerCase(java.util.Locale.ROOT), time.show(3));
    say("  %s GB/s of %s", rate.map(b -> b / 1e9).show(2), Sizes.show(bytes));
  }
}
