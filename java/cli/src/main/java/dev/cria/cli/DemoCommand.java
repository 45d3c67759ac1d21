package dev.cria.cli;

import dev.cria.Device;
import dev.cria.cli.demo.Demo;
import dev.cria.cli.demo.Exam;
import dev.cria.cli.demo.Scale;
import dev.cria.cli.demo.Share;
import dev.cria.cli.demo.World;
import dev.cria.llm.checkpoint.AtomicFolder;
import dev.cria.llm.train.Estimate;
import dev.cria.llm.train.TrainerListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Shows the whole way from nothing to an aligned model. */
@Command(
    name = "demo",
    sortOptions = false,
    description = {
      "Train a small model from nothing and align it, in minutes on a CPU.",
      "Pretrains a LLaMA on made-up words whose truth is known (rakimo backwards is omikar),"
          + " quantises it to NF4, fine-tunes a LoRA adapter on instructions written by a careless"
          + " teacher, who forgets the last letter of most long words, and repairs that with DPO."
          + " Then it prints how models of all three stages do on words that no training text has.",
      "Ends with exit code 1 if a stage brought no improvement beyond noise."
    },
    footer = {"", "Example: cria demo --out demo --seed 2"})
final class DemoCommand extends CriaCommand {
  private static final int SAMPLES = 8;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "cria-demo",
      description =
          "Output: data, models, adapters, metrics.jsonl, report.html (${DEFAULT-VALUE}).")
  private Path out = Path.of("");

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Seed of the words and of all training (${DEFAULT-VALUE}).")
  private long seed;

  @Option(names = "--overwrite", description = "Replace the demo that is in the output folder.")
  private boolean overwrite;

  @Option(names = "--small", hidden = true, description = "A demo of seconds, for tests.")
  private boolean small;

  /** Settings of the run. */
  record DemoSettings(String out, long seed, Scale scale) {}

  @Override
  protected int run() throws IOException {
    DemoFolder folder = new DemoFolder(out);
    folder.begin(overwrite);
    Scale scale = small ? Scale.small() : Scale.full();
    Map<String, Object> record = new LinkedHashMap<>();
    try (Device device = openDevice();
        Phases phases = new Phases();
        Progress progress = progress();
        Stages stages = new Stages(folder, phases, progress)) {
      record.put("command", spec.name());
      record.put("settings", new DemoSettings(out.toString(), seed, scale));
      record.put("versions", Versions.of(device));
      Files.writeString(folder.run(), JSON.writeValueAsString(record));
      introduce(scale, device);
      Demo demo = new Demo(scale, seed, out, stages);
      Demo.Result result = demo.run(device);
      boolean improved = result.improved();
      record.put("result", facts(result, phases));
      Files.writeString(folder.run(), JSON.writeValueAsString(record));
      report(result, record).write(folder.report());
      result(facts(result, phases));
      show(result, phases);
      say("report  %s", folder.report());
      say("");
      say("Go on with:");
      World.Pair item = result.world().exam().getFirst();
      say(
          "  cria generate --model %s --greedy --max-tokens 40 --prompt \"%s backwards is\"",
          demo.base(), item.word());
      say(
          "  echo \"%s\" | cria chat --model %s --adapter %s --greedy",
          item.instruction(), demo.quantized(), demo.aligned());
      if (!improved) {
        spec.commandLine()
            .getErr()
            .println("cria demo: a stage brought no improvement beyond noise; see the table");
        return 1;
      }
    }
    return 0;
  }

  private void introduce(Scale scale, Device device) {
    say(
        "%,d texts, %,d demonstrations, %,d preference pairs, %,d held-out words of %d to %d"
            + " letters; %s (%s, %d threads)",
        scale.texts(),
        scale.demonstrations(),
        scale.pairs(),
        scale.heldOut(),
        scale.shortest(),
        scale.longest(),
        device.name(),
        device.isa(),
        device.threads());
  }

  /** Reports each part when it is done, and each stage to the log and the progress bar. */
  private final class Stages implements Demo.Watcher, AutoCloseable {
    private final DemoFolder folder;
    private final Phases phases;
    private final Progress progress;
    private @Nullable RunListener current;
    private long begin = System.nanoTime();

    Stages(DemoFolder folder, Phases phases, Progress progress) {
      this.folder = folder;
      this.phases = phases;
      this.progress = progress;
    }

    @Override
    public TrainerListener stage(String name) {
      close();
      RunListener listener =
          new RunListener(
              (start, fresh) -> {},
              MetricsLog.append(folder.metrics(), name),
              progress,
              message -> say("%s: %s", name, message),
              0);
      current = listener;
      return listener;
    }

    @Override
    public void at(String work, long done, long total) {
      progress.at(work, done, total);
    }

    @Override
    public void done(String part) {
      progress.close();
      phases.done(part);
      long now = System.nanoTime();
      say("  %-12s %6.1f s", part, (now - begin) * 1e-9);
      begin = now;
    }

    @Override
    public void close() {
      if (current != null) {
        current.close();
        current = null;
      }
    }
  }

  private static Map<String, Exam.Marks> stages(Demo.Result result) {
    Map<String, Exam.Marks> stages = new LinkedHashMap<>();
    stages.put("base", result.base());
    stages.put("SFT", result.tuned());
    stages.put("DPO", result.aligned());
    return stages;
  }

  private static Map<String, Object> facts(Demo.Result result, Phases phases) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("parameters", result.model().parameters());
    facts.put("recall", Share.of(result.recalled()));
    facts.put("recall_nf4", Share.of(result.recalledNf4()));
    Exam.Marks before = null;
    for (Map.Entry<String, Exam.Marks> stage : stages(result).entrySet()) {
      Exam.Marks marks = stage.getValue();
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("exact_match", Share.of(marks.exact()));
      row.put("preference_accuracy", Share.of(marks.preferred()));
      if (before != null) {
        row.put("exact_match_gain", Figures.facts(marks.exact().minus(before.exact())));
        row.put(
            "preference_accuracy_gain", Figures.facts(marks.preferred().minus(before.preferred())));
      }
      facts.put(stage.getKey().toLowerCase(Locale.ROOT), row);
      before = marks;
    }
    facts.put("improved", result.improved());
    facts.put("phases", phases.toList());
    return facts;
  }

  private static List<List<String>> table(Demo.Result result) {
    List<List<String>> rows = new ArrayList<>();
    Exam.Marks before = null;
    for (Map.Entry<String, Exam.Marks> stage : stages(result).entrySet()) {
      Exam.Marks marks = stage.getValue();
      rows.add(
          List.of(
              stage.getKey(),
              Share.of(marks.exact()).toString(),
              before == null ? "" : gain(marks.exact().minus(before.exact())),
              Share.of(marks.preferred()).toString(),
              before == null ? "" : gain(marks.preferred().minus(before.preferred()))));
      before = marks;
    }
    return rows;
  }

  private static String gain(Estimate e) {
    return String.format(
        Locale.ROOT, "%+.1f ± %.1f", 100 * e.mean(), 100 * (e.high95() - e.mean()));
  }

  private static List<List<String>> samples(Demo.Result result) {
    List<List<String>> rows = new ArrayList<>();
    List<World.Pair> exam = result.world().exam();
    for (int i = 0; i < Math.min(SAMPLES, exam.size()); i++) {
      rows.add(
          List.of(
              exam.get(i).instruction(),
              exam.get(i).right(),
              result.base().answers().get(i).strip(),
              result.tuned().answers().get(i).strip(),
              result.aligned().answers().get(i).strip()));
    }
    return rows;
  }

  private static final List<String> TABLE =
      List.of("model", "exact match", "gain", "preference accuracy", "gain");
  private static final List<String> SAMPLE_TABLE =
      List.of("held-out instruction", "right", "base", "SFT", "DPO");

  private static String recall(Demo.Result result) {
    return "Completing \"WORD backwards is\" for the held-out words: pretrained %s, after NF4 %s."
        .formatted(Share.of(result.recalled()), Share.of(result.recalledNf4()));
  }

  private static final String LEGEND =
      "Exact match: the greedy answer is right to the letter. Preference accuracy: log p(right) >"
          + " log p(mistake), no reference. In brackets 95 % intervals (Wilson); gains are paired,"
          + " with 95 %.";

  private void show(Demo.Result result, Phases phases) {
    say("");
    say("%,d parameters; peak memory %s.", result.model().parameters(), Sizes.show(phases.peak()));
    say("%s", recall(result));
    say("");
    lines(TABLE, table(result)).forEach(line -> say("%s", line));
    say("");
    say("%s", LEGEND);
    say("");
    lines(SAMPLE_TABLE, samples(result)).forEach(line -> say("%s", line));
    say("");
  }

  /** A table in columns as wide as their widest cell. */
  static List<String> lines(List<String> header, List<List<String>> rows) {
    List<List<String>> all = new ArrayList<>(List.of(header));
    all.addAll(rows);
    int[] widths = new int[header.size()];
    for (List<String> row : all) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    List<String> lines = new ArrayList<>();
    for (List<String> row : all) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        line.append(row.get(i)).repeat(" ", widths[i] - row.get(i).length() + 2);
      }
      lines.add(line.toString().stripTrailing());
    }
    return lines;
  }

  private HtmlReport report(Demo.Result result, Map<String, Object> record) {
    return new HtmlReport(
            "cria demo",
            "A small LLaMA, pretrained on made-up words, quantised to NF4, fine-tuned on the"
                + " answers of a careless teacher and aligned with DPO; examined on words that no"
                + " training text has.")
        .table("Results", TABLE, table(result))
        .note(LEGEND)
        .note(recall(result))
        .table("Sample answers", SAMPLE_TABLE, samples(result))
        .stage("Pretraining", "nats per token", result.pretraining())
        .stage("Supervised fine-tuning (QLoRA)", "nats per token", result.sft())
        .stage("Preference optimisation (DPO)", "nats per pair", result.dpo())
        .settings("Run", JSON.convertValue(record, new MapType()));
  }

  private static final class MapType
      extends tools.jackson.core.type.TypeReference<Map<String, Object>> {}

  /** The output folder. */
  private record DemoFolder(Path path) {
    Path run() {
      return path.resolve("run.json");
    }

    Path metrics() {
      return path.resolve("metrics.jsonl");
    }

    Path report() {
      return path.resolve("report.html");
    }

    /** Makes the folder; what a demo left in it goes if it may be overwritten, and only that. */
    void begin(boolean overwrite) throws IOException {
      AtomicFolder.checkAbsent(path, overwrite);
      TrainingFolder.checkWritable(path);
      Files.createDirectories(path);
      for (String old : List.of("data", "base", "base-nf4", "adapter-sft", "adapter-dpo")) {
        if (Files.isDirectory(path.resolve(old))) {
          AtomicFolder.remove(path.resolve(old));
        }
      }
      for (Path old : List.of(run(), metrics(), report())) {
        Files.deleteIfExists(old);
      }
    }
  }
}
