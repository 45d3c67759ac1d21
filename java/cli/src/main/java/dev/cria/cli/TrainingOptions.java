package dev.cria.cli;

import dev.cria.llm.chat.NamedTemplates;
import dev.cria.llm.lora.LoraConfig;
import dev.cria.llm.train.TrainerConfig.LearningRate;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of the commands that train. */
final class TrainingOptions {
  @Option(
      names = "--data",
      required = true,
      paramLabel = "FILE",
      description =
          "Data to learn from: JSON lines or a JSON array, gzip too, told apart by their fields.")
  Path data = Path.of("");

  @Option(
      names = {"-o", "--out"},
      required = true,
      paramLabel = "DIR",
      description =
          "Output: adapter (or model), run.json, metrics.jsonl, report.html, checkpoints.")
  Path out = Path.of("");

  @Option(names = "--full", description = "Train every weight instead of an adapter.")
  boolean full;

  @Option(
      names = "--rank",
      paramLabel = "R",
      defaultValue = "16",
      description = "Rank of the adapter (${DEFAULT-VALUE}).")
  int rank;

  @Option(
      names = "--alpha",
      paramLabel = "A",
      defaultValue = "32",
      description = "Strength of the adapter, scaled by alpha / rank (${DEFAULT-VALUE}).")
  double alpha;

  @Option(
      names = "--dropout",
      paramLabel = "P",
      defaultValue = "0",
      description = "Share of the adapter's inputs dropped in training (${DEFAULT-VALUE}).")
  double dropout;

  @Option(
      names = "--targets",
      paramLabel = "NAME",
      split = ",",
      defaultValue = LoraConfig.ALL_LINEAR,
      description =
          "Matrices that get an adapter: q_proj,v_proj or the like, or ${DEFAULT-VALUE} (default).")
  List<String> targets = List.of();

  @Option(
      names = "--template",
      paramLabel = "NAME",
      description =
          "Chat template: alpaca, chatml, vicuna, llama-2 or zephyr; default: the model's own.")
  @Nullable String template;

  @Option(
      names = "--max-length",
      paramLabel = "N",
      description = "Most tokens of a text or of a pair's longer side; default: the context.")
  @Nullable Integer maxLength;

  @Option(names = "--truncate", description = "Cut longer records instead of refusing the data.")
  boolean truncate;

  @Option(names = "--drop-long", description = "Leave longer records out and count them.")
  boolean dropLong;

  @Option(
      names = "--no-eos",
      description = "Do not put EOS after texts that no end mark of a template ends.")
  boolean noEos;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "1",
      description = "How often all records are used (${DEFAULT-VALUE}).")
  int epochs;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Optimisation steps, instead of --epochs.")
  @Nullable Long steps;

  @Option(
      names = "--lr",
      paramLabel = "X",
      description = "Peak learning rate; default: 2e-4 for an adapter, 2e-5 with --full.")
  @Nullable Double learningRate;

  @Option(
      names = "--schedule",
      paramLabel = "S",
      defaultValue = "cosine",
      description = "Learning rate after warm-up: constant, linear or cosine (${DEFAULT-VALUE}).")
  LearningRate schedule = LearningRate.COSINE;

  @Option(
      names = "--warmup",
      paramLabel = "N|P%",
      defaultValue = "3%",
      converter = Warmup.Converter.class,
      description = "Steps, or share of all steps, in which the rate rises from 0 (3%%).")
  Warmup warmup = new Warmup(-1, 0.03);

  @Option(
      names = "--clip",
      paramLabel = "X",
      defaultValue = "1",
      description = "Most norm of a step's gradient; 0: no limit (${DEFAULT-VALUE}).")
  double clip;

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      defaultValue = "0",
      description = "Decoupled weight decay of AdamW (${DEFAULT-VALUE}).")
  float weightDecay;

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      defaultValue = "adamw",
      description = "adamw, or adamw8 with 8-bit moments (${DEFAULT-VALUE}).")
  Optimizer optimizer = Optimizer.ADAMW;

  @Option(
      names = "--batch-tokens",
      paramLabel = "N",
      description =
          "Most tokens of a micro-batch, which a longer record fills alone (sft 2048, dpo 4096).")
  @Nullable Long batchTokens;

  @Option(
      names = "--accumulate",
      paramLabel = "N",
      defaultValue = "1",
      description = "Micro-batches of a step (${DEFAULT-VALUE}).")
  int accumulate;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      converter = Sizes.Converter.class,
      description =
          "Most memory of the whole process, for example 6g: blocks are recomputed in the backward"
              + " pass as needed.")
  @Nullable Long memory;

  @Option(names = "--eval-data", paramLabel = "FILE", description = "Data to evaluate on.")
  @Nullable Path evalData;

  @Option(
      names = "--hold-out",
      paramLabel = "N",
      defaultValue = "0",
      description = "Records of --data, drawn by --seed, that are evaluated on and not learned.")
  int holdOut;

  @Option(
      names = "--eval-every",
      paramLabel = "N",
      defaultValue = "0",
      description = "Steps between evaluations; 0: only before and after (${DEFAULT-VALUE}).")
  long evalEvery;

  @Option(
      names = "--save-every",
      paramLabel = "N",
      defaultValue = "0",
      description = "Steps between checkpoints; 0: none (${DEFAULT-VALUE}).")
  long saveEvery;

  @Option(
      names = "--resume",
      description = "Go on from the newest checkpoint in the output, from the start without one.")
  boolean resume;

  @Option(names = "--overwrite", description = "Replace an output that exists.")
  boolean overwrite;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "0",
      description = "Seed of the adapter, the order, dropout and --hold-out (${DEFAULT-VALUE}).")
  long seed;

  /** Optimisers. */
  enum Optimizer {
    /** Float32 moments. */
    ADAMW,
    /** 8-bit block-wise moments. */
    ADAMW8
  }

  double peakRate() {
    Double given = learningRate;
    return given != null ? given : full ? 2e-5 : 2e-4;
  }

  long stepCount() {
    Long given = steps;
    return given == null ? 0 : given;
  }

  /** Refuses what cannot be, before anything is opened. */
  void check(CriaCommand command, boolean adapterGiven, boolean quantized) {
    if (full && (adapterGiven || quantized)) {
      throw command.usage(
          "--full trains the weights themselves: not with "
              + (adapterGiven ? "--adapter" : "--quantize"));
    }
    for (String name : List.of("--rank", "--alpha", "--dropout", "--targets")) {
      if ((full || adapterGiven) && command.given(name)) {
        throw command.usage(
            name + " is for a new adapter: not with " + (full ? "--full" : "--adapter"));
      }
    }
    require(command, rank >= 1, "--rank", rank, "1 or more");
    require(command, alpha > 0 && alpha < 1e9, "--alpha", alpha, "a positive number");
    require(command, dropout >= 0 && dropout < 1, "--dropout", dropout, "at least 0 and below 1");
    if (targets.isEmpty() || targets.stream().anyMatch(String::isBlank)) {
      throw command.usage("--targets cannot be empty");
    }
    String name = template;
    if (name != null && !NamedTemplates.names().contains(name)) {
      throw command.usage(
          "--template " + name + " is not known; " + String.join(", ", NamedTemplates.names()));
    }
    Integer length = maxLength;
    if (length != null) {
      require(command, length >= 2, "--max-length", length, "2 or more");
    }
    if (truncate && dropLong) {
      throw command.usage("--truncate or --drop-long, not both");
    }
    if (steps != null && command.given("--epochs")) {
      throw command.usage("--steps or --epochs, not both");
    }
    require(command, epochs >= 1, "--epochs", epochs, "1 or more");
    require(command, steps == null || stepCount() >= 1, "--steps", stepCount(), "1 or more");
    require(command, peakRate() > 0 && peakRate() < 1e6, "--lr", peakRate(), "a positive number");
    require(command, clip >= 0 && clip < 1e30, "--clip", clip, "0 or more");
    require(
        command, weightDecay >= 0 && weightDecay < 1e6, "--weight-decay", weightDecay, "0 or more");
    Long tokens = batchTokens;
    if (tokens != null) {
      require(command, tokens >= 1, "--batch-tokens", tokens, "1 or more");
    }
    require(command, accumulate >= 1, "--accumulate", accumulate, "1 or more");
    require(command, memory == null || memory > 0, "--memory", 0, "more than nothing");
    require(command, holdOut >= 0, "--hold-out", holdOut, "0 or more");
    require(command, evalEvery >= 0, "--eval-every", evalEvery, "0 or more");
    require(command, saveEvery >= 0, "--save-every", saveEvery, "0 or more");
    if (evalEvery > 0 && evalData == null && holdOut == 0) {
      throw command.usage("--eval-every needs --eval-data or --hold-out");
    }
    if (resume && overwrite) {
      throw command.usage("--resume or --overwrite, not both");
    }
  }

  static void require(
      CriaCommand command, boolean good, String option, Number value, String expected) {
    if (!good) {
      throw command.usage(option + " cannot be " + value + "; " + expected + " expected");
    }
  }
}
