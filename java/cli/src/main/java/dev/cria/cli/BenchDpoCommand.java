package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.train.DpoObjective;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Objective;
import dev.cria.llm.train.PairItem;
import java.io.IOException;
import java.util.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A step of direct preference optimisation. */
@Command(
    name = "dpo",
    sortOptions = false,
    customSynopsis = "cria bench dpo [OPTIONS]",
    description = {
      "Measure whole steps of DPO with the reference pass, and where the time goes.",
      "Both answers of a pair share the computation of their prompt."
    },
    footer = {"", "Example: cria bench dpo --prompt 384 --response 128"})
final class BenchDpoCommand extends BenchTraining {
  @Mixin private BenchModel model = new BenchModel();
  @Mixin private BenchAdapter adapter = new BenchAdapter();

  @Option(
      names = "--prompt",
      order = 4,
      paramLabel = "N",
      defaultValue = "384",
      description = "Tokens of a prompt (${DEFAULT-VALUE}).")
  private int prompt;

  @Option(
      names = "--response",
      order = 5,
      paramLabel = "N",
      defaultValue = "128",
      description = "Tokens of each of the two answers (${DEFAULT-VALUE}).")
  private int response;

  @Option(
      names = "--pairs",
      order = 6,
      paramLabel = "N",
      defaultValue = "1",
      description = "Pairs of a step (${DEFAULT-VALUE}).")
  private int pairs;

  @Override
  protected void check() {
    super.check();
    model.check(this);
    adapter.check(this);
    if (prompt < 1 || prompt > 1 << 16 || response < 1 || response > 1 << 16) {
      throw usage("--prompt and --response must be 1..65536: " + prompt + ", " + response);
    }
    if (pairs < 1 || pairs > 1 << 12) {
      throw usage("--pairs must be 1..4096: " + pairs);
    }
  }

  @Override
  protected Llama open(Device device, Progress progress) throws IOException {
    return model.open(device, progress);
  }

  @Override
  protected Objective objective() {
    return new DpoObjective(0.1);
  }

  @Override
  protected Item item(int number, Random random, int vocab) {
    return new PairItem(
        "pair " + number,
        random.ints(prompt, 3, vocab).toArray(),
        random.ints(response, 3, vocab).toArray(),
        random.ints(response, 3, vocab).toArray());
  }

  @Override
  protected int rank() {
    return adapter.rank();
  }

  @Override
  protected int itemsPerStep() {
    return pairs;
  }

  @Override
  protected String unit() {
    return "pairs";
  }
}
