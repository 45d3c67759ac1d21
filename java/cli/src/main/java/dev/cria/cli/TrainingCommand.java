package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.LlamaConfigJson;
import dev.cria.llm.chat.ChatTemplate;
import dev.cria.llm.checkpoint.ModelWriter;
import dev.cria.llm.data.Encoder;
import dev.cria.llm.data.Example;
import dev.cria.llm.lora.Adapter;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.PeftFolder;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerLoader;
import dev.cria.llm.train.EvalReport;
import dev.cria.llm.train.History;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Objective;
import dev.cria.llm.train.StepReport;
import dev.cria.llm.train.Trainer;
import dev.cria.llm.train.TrainerListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;

/**
 * What sft and dpo share: read the data, train, save, report. Settings, data and output are checked
 * before anything is written.
 */
abstract class TrainingCommand extends CriaCommand {
  @Mixin protected ModelOptions model = new ModelOptions();
  @Mixin protected TrainingOptions training = new TrainingOptions();

  /** Most tokens of a micro-batch where the command line does not say. */
  protected abstract long batchTokens();

  /** Most records of a micro-batch, 0 for any number. */
  protected abstract int batchItems();

  /** What is learned. */
  protected abstract Objective objective();

  /** Items of a record. */
  protected abstract List<? extends Item> items(Encoder encoder, Example example);

  /** All settings of the run: the shared ones and those of the command. */
  protected abstract Record settings(TrainingSettings shared);

  /** Unit of the loss. */
  protected abstract String unit();

  /** Adds what this command wants to say about the evaluations before and after training. */
  protected abstract void compare(EvalReport before, EvalReport after, Outcome outcome);

  /** Collects results for people and for programs. */
  protected record Outcome(Map<String, Object> facts, List<List<String>> rows) {
    void add(String name, String key, Object fact, String shown) {
      facts.put(key, fact);
      rows.add(List.of(name, shown));
    }
  }

  @Override
  protected void check() {
    training.check(this, model.adapter != null, model.quantize != null);
  }

  @Override
  protected int run() throws IOException {
    TrainingFolder folder = new TrainingFolder(training.out);
    folder.check(training.overwrite, training.resume);
    TrainingSettings shared = TrainingSettings.of(model, training, batchTokens(), batchItems());
    try (Phases phases = new Phases()) {
      TrainingData data = data(shared);
      phases.done("data");
      try (Device device = openDevice();
          Progress progress = progress();
          Llama llama = load(device, shared)) {
        phases.done("load");
        Run run = new Run(folder, shared, data, device);
        RunListener listener =
            new RunListener(
                run,
                MetricsLog.append(folder.metrics(), spec.name()),
                progress,
                this::warn,
                shared.saveEvery());
        History history;
        try (listener) {
          history =
              new Trainer(
                      llama,
                      objective(),
                      shared.trainer(folder.checkpoints(), training.resume, training.warmup))
                  .listener(listener)
                  .heldOut(data.heldOut())
                  .train(data.items());
        }
        phases.done("train");
        Path saved = save(llama, folder);
        phases.done("save");
        report(run, history, listener.resumedAt(), saved, phases);
      }
    }
    return 0;
  }

  private void warn(String message) {
    spec.commandLine().getErr().println("cria " + spec.name() + ": " + message);
    spec.commandLine().getErr().flush();
  }

  private TrainingData data(TrainingSettings shared) throws IOException {
    Path base = model.model;
    if (!Files.isDirectory(base)) {
      throw new InvalidInputException(base.toString(), "no such model folder");
    }
    LlamaConfig shape = LlamaConfigJson.read(base.resolve("config.json"));
    Tokenizer tokenizer = TokenizerLoader.load(base);
    Llama.checkSize(tokenizer, shape, base.toString());
    return TrainingData.load(
        shared,
        tokenizer,
        template(base, shared.template(), tokenizer),
        shape.context(),
        this::items);
  }

  /** The named template, else the model's own, else none. */
  static Optional<ChatTemplate> template(Path base, @Nullable String name, Tokenizer tokenizer)
      throws IOException {
    return name == null
        ? ChatTemplate.load(base, tokenizer)
        : Optional.of(ChatTemplate.named(name, tokenizer));
  }

  private Llama load(Device device, TrainingSettings shared) {
    Llama llama = model.load(device);
    try {
      if (!shared.full() && llama.activeAdapter() == null) {
        Lora.attach(llama, shared.lora(), shared.seed());
      }
      return llama;
    } catch (RuntimeException | Error e) {
      llama.close();
      throw e;
    }
  }

  private Path save(Llama llama, TrainingFolder folder) {
    Adapter adapter = llama.activeAdapter();
    if (adapter == null) {
      ModelWriter.of(llama).overwrite(true).write(folder.model());
      return folder.model();
    }
    PeftFolder.write(adapter, folder.adapter(), model.model.toString(), true);
    return folder.adapter();
  }

  /** The record of a run, {@code run.json}. */
  private final class Run implements RunListener.Beginning {
    private final TrainingFolder folder;
    private final Map<String, Object> record = new LinkedHashMap<>();

    Run(TrainingFolder folder, TrainingSettings shared, TrainingData data, Device device) {
      this.folder = folder;
      record.put("command", spec.name());
      record.put("settings", settings(shared));
      record.put("seed", shared.seed());
      record.put("versions", Versions.of(device));
      record.put("records", data.items().size());
      record.put("held_out_records", data.heldOut().size());
      record.put("left_out", data.dropped());
    }

    @Override
    public void begin(TrainerListener.Start start, boolean fresh) throws IOException {
      folder.begin(fresh);
      record.put("steps", start.steps());
      record.put("trained_parameters", start.trainedParameters());
      record.put("memory_plan", start.memory().toMap());
      write();
      say(
          "%s: %,d records, %,d held out, %,d steps, %,d trained parameters",
          spec.name(), start.items(), start.heldOut(), start.steps(), start.trainedParameters());
      @SuppressWarnings("unchecked")
      Map<String, Integer> left = (Map<String, Integer>) record.get("left_out");
      if (left != null && !left.isEmpty()) {
        say("left out: %s", left);
      }
    }

    void write() throws IOException {
      Path aside = folder.path().resolve("run.json.part");
      Files.writeString(aside, JSON.writeValueAsString(record));
      Files.move(
          aside,
          folder.run(),
          java.nio.file.StandardCopyOption.ATOMIC_MOVE,
          java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private void report(Run run, History history, long resumedAt, Path saved, Phases phases)
      throws IOException {
    Outcome outcome = new Outcome(new LinkedHashMap<>(), new java.util.ArrayList<>());
    List<StepReport> steps = history.steps();
    double seconds = steps.stream().mapToDouble(StepReport::seconds).sum();
    long rows = steps.stream().mapToLong(StepReport::rows).sum();
    outcome.facts().put("out", run.folder.path().toString());
    outcome.facts().put("saved", saved.toString());
    outcome.facts().put("report", run.folder.report().toString());
    outcome.add("steps", "steps", steps.size(), Integer.toString(steps.size()));
    if (resumedAt >= 0) {
      outcome.add("resumed after step", "resumed_after", resumedAt, Long.toString(resumedAt));
    }
    outcome.add(
        "first loss",
        "first_loss",
        steps.getFirst().loss(),
        "%.9f".formatted(steps.getFirst().loss()));
    outcome.add(
        "last loss", "last_loss", steps.getLast().loss(), "%.6f".formatted(steps.getLast().loss()));
    List<EvalReport> evaluations = history.evaluations();
    if (evaluations.size() > 1) {
      compare(evaluations.getFirst(), evaluations.getLast(), outcome);
    }
    double speed = seconds > 0 ? rows / seconds : 0;
    outcome.add("tokens per second", "tokens_per_second", speed, "%,.0f".formatted(speed));
    outcome.add("peak memory", "peak_resident_bytes", phases.peak(), Sizes.show(phases.peak()));
    outcome.facts().put("phases", phases.toList());
    run.record.put("result", outcome.facts());
    run.write();
    new HtmlReport("cria " + spec.name(), "Run in " + run.folder.path() + ".")
        .table("Result", List.of("figure", "value"), outcome.rows())
        .stage(spec.name(), unit(), history)
        .settings("Run", JSON.convertValue(run.record, new MapType()))
        .write(run.folder.report());
    result(outcome.facts());
    for (List<String> row : outcome.rows()) {
      say("%-34s %s", row.get(0), row.get(1));
    }
    phases.lines().forEach(line -> say("%s", line));
    say("%-34s %s", saved.equals(run.folder.model()) ? "model" : "adapter", saved);
    say("%-34s %s", "report", run.folder.report());
  }

  private static final class MapType
      extends tools.jackson.core.type.TypeReference<Map<String, Object>> {}
}
