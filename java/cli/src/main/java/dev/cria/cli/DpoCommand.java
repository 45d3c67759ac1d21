package dev.cria.cli;

import dev.cria.autograd.DpoKind;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.data.Encoder;
import dev.cria.llm.data.Example;
import dev.cria.llm.train.DpoObjective;
import dev.cria.llm.train.Estimate;
import dev.cria.llm.train.EvalReport;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Objective;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Direct preference optimisation. */
@Command(
    name = "dpo",
    sortOptions = false,
    customSynopsis = "cria dpo --model DIR --data FILE --out DIR [OPTIONS]",
    description = {
      "Align a model with preferences: pairs of a chosen and a rejected answer.",
      "The reference is the model as it is before the first update: the bare model, or with the"
          + " adapter given by --adapter, which is then trained on. Its log-probabilities are"
          + " computed once for each pair.",
      "Fields of a record: prompt, chosen, rejected; or chosen and rejected as whole dialogues."
    },
    footer = {
      "",
      "Examples:",
      "  cria dpo --model m --data pairs.jsonl --out run --quantize nf4 --hold-out 400",
      "  cria dpo --model m --adapter sft/adapter --data pairs.jsonl --out run --beta 0.2 --lr 5e-5",
      "  cria dpo --model m --data pairs.jsonl --out run --loss ipo --max-length 256 --drop-long"
    })
final class DpoCommand extends TrainingCommand {
  @Option(
      names = "--beta",
      paramLabel = "B",
      defaultValue = "0.1",
      description = "Strength of the pull to the reference (${DEFAULT-VALUE}).")
  private double beta;

  @Option(
      names = "--loss",
      paramLabel = "NAME",
      defaultValue = "sigmoid",
      converter = Kind.class,
      description =
          "sigmoid (DPO), ipo (averages over the answer's length), ipo-sum (sums), or hinge"
              + " (${DEFAULT-VALUE}).")
  private DpoKind loss = DpoKind.SIGMOID;

  @Option(
      names = "--label-smoothing",
      paramLabel = "E",
      defaultValue = "0",
      description =
          "Share of pairs taken to be labelled the wrong way round; sigmoid only"
              + " (${DEFAULT-VALUE}).")
  private double labelSmoothing;

  @Option(
      names = "--batch-pairs",
      paramLabel = "N",
      defaultValue = "8",
      description =
          "Most pairs of a micro-batch, which also ends at --batch-tokens (${DEFAULT-VALUE}).")
  private int batchPairs;

  /**
   * Settings of the run.
   *
   * @param loss name as on the command line
   */
  record DpoSettings(TrainingSettings training, double beta, String loss, double labelSmoothing) {}

  /** Names of the losses. */
  static final class Kind implements ITypeConverter<DpoKind> {
    @Override
    public DpoKind convert(String text) {
      for (DpoKind kind : DpoKind.values()) {
        if (name(kind).equals(text)) {
          return kind;
        }
      }
      throw new TypeConversionException(
          "'" + text + "' is no loss; sigmoid, ipo, ipo-sum and hinge are");
    }

    static String name(DpoKind kind) {
      return kind.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  @Override
  protected void check() {
    super.check();
    TrainingOptions.require(this, beta > 0 && beta < 1e9, "--beta", beta, "a positive number");
    TrainingOptions.require(
        this,
        labelSmoothing >= 0 && labelSmoothing < 0.5,
        "--label-smoothing",
        labelSmoothing,
        "at least 0 and below 0.5");
    if (labelSmoothing > 0 && loss != DpoKind.SIGMOID) {
      throw usage("--label-smoothing is for --loss sigmoid, not " + Kind.name(loss));
    }
    TrainingOptions.require(this, batchPairs >= 1, "--batch-pairs", batchPairs, "1 or more");
  }

  @Override
  protected long batchTokens() {
    return 4096;
  }

  @Override
  protected int batchItems() {
    return batchPairs;
  }

  @Override
  protected Objective objective() {
    return new DpoObjective(loss, beta, labelSmoothing);
  }

  @Override
  protected List<? extends Item> items(Encoder encoder, Example example) {
    if (example instanceof Example.PairExample pair) {
      return List.of(encoder.pair(pair));
    }
    throw new InvalidInputException(
        example.origin(), "a pair of a chosen and a rejected answer expected");
  }

  @Override
  protected Record settings(TrainingSettings shared) {
    return new DpoSettings(shared, beta, Kind.name(loss), labelSmoothing);
  }

  @Override
  protected String unit() {
    return "per pair";
  }

  @Override
  protected void compare(EvalReport before, EvalReport after, Outcome outcome) {
    Figures.change(outcome, "held-out loss", "held_out_loss", "loss", before, after);
    Figures.change(outcome, "margin accuracy", "margin_accuracy", "accuracy", before, after);
    Figures.change(
        outcome,
        "log p(chosen) > log p(rejected)",
        "logp_accuracy",
        "logp_accuracy",
        before,
        after);
    Estimate shorter = Figures.of(after, "shorter_accuracy").estimate();
    outcome.add(
        "the shorter answer is right",
        "shorter_accuracy",
        Figures.facts(shorter),
        Figures.show(shorter));
    Estimate accuracy = Figures.of(after, "accuracy").estimate();
    boolean above = accuracy.low95() > shorter.mean();
    outcome.add(
        "accuracy is above that of length",
        "above_length",
        above,
        "%s: the interval begins at %.4f, length has %.4f"
            .formatted(above ? "yes" : "no", accuracy.low95(), shorter.mean()));
  }
}
