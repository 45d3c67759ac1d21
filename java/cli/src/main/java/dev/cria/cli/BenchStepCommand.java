package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Objective;
import dev.cria.llm.train.SupervisedObjective;
import dev.cria.llm.train.TextItem;
import java.io.IOException;
import java.util.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A step of supervised fine-tuning. */
@Command(
    name = "step",
    sortOptions = false,
    customSynopsis = "cria bench step [OPTIONS]",
    description = {
      "Measure whole steps of supervised fine-tuning, and where the time goes.",
      "Every token is learned; without options the step is a QLoRA step of OpenLLaMA-3B."
    },
    footer = {
      "",
      "Example: cria bench step --tokens 512 --memory 3.5g",
      "         cria bench step --model smol --weights bf16 --tokens 256 --sequences 4 --full"
    })
final class BenchStepCommand extends BenchTraining {
  @Mixin private BenchModel model = new BenchModel();
  @Mixin private BenchAdapter adapter = new BenchAdapter();

  @Option(
      names = "--tokens",
      order = 4,
      paramLabel = "N",
      defaultValue = "512",
      description = "Tokens of a sequence (${DEFAULT-VALUE}).")
  private int tokens;

  @Option(
      names = "--sequences",
      order = 5,
      paramLabel = "N",
      defaultValue = "1",
      description = "Sequences packed into a step (${DEFAULT-VALUE}).")
  private int sequences;

  @Override
  protected void check() {
    super.check();
    model.check(this);
    adapter.check(this);
    if (tokens < 2 || tokens > 1 << 17) {
      throw usage("--tokens must be 2..131072: " + tokens);
    }
    if (sequences < 1 || sequences > 1 << 12) {
      throw usage("--sequences must be 1..4096: " + sequences);
    }
  }

  @Override
  protected Llama open(Device device, Progress progress) throws IOException {
    return model.open(device, progress);
  }

  @Override
  protected Objective objective() {
    return new SupervisedObjective();
  }

  @Override
  protected Item item(int number, Random random, int vocab) {
    return TextItem.of("text " + number, random.ints(tokens, 3, vocab).toArray());
  }

  @Override
  protected int rank() {
    return adapter.rank();
  }

  @Override
  protected int itemsPerStep() {
    return sequences;
  }

  @Override
  protected String unit() {
    return "sequences";
  }
}
