package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.Weights;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Objective;
import dev.cria.llm.train.SupervisedObjective;
import dev.cria.llm.train.TextItem;
import java.util.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A step of training all parameters of a small model from random weights. */
@Command(
    name = "pretrain-small",
    sortOptions = false,
    customSynopsis = "cria bench pretrain-small [OPTIONS]",
    description = {
      "Measure whole steps that train all of a small LLaMA, and where the time goes.",
      "15 million parameters: 6 blocks of width 288, 32,000 words; 8 sequences of 256 tokens."
    },
    footer = {"", "Example: cria bench pretrain-small --weights f32"})
final class BenchPretrainSmallCommand extends BenchTraining {
  private static final int TOKENS = 256;

  @Option(
      names = "--weights",
      order = 3,
      paramLabel = "FORM",
      defaultValue = "bf16",
      description = "Form of the weights in memory: bf16 or f32 (${DEFAULT-VALUE}).")
  private Weights form = Weights.BF16;

  @Override
  protected void check() {
    super.check();
    if (form != Weights.F32 && form != Weights.BF16) {
      throw usage("--weights must be bf16 or f32, since all parameters are trained");
    }
  }

  @Override
  protected Llama open(Device device, Progress progress) {
    return BenchModel.random(BenchModel.small(), device, form, progress);
  }

  @Override
  protected Objective objective() {
    return new SupervisedObjective();
  }

  @Override
  protected Item item(int number, Random random, int vocab) {
    return TextItem.of("text " + number, random.ints(TOKENS, 3, vocab).toArray());
  }

  @Override
  protected int rank() {
    return 0;
  }

  @Override
  protected int itemsPerStep() {
    return 8;
  }

  @Override
  protected String unit() {
    return "sequences";
  }
}
