package dev.cria.cli;

import dev.cria.Device;
import dev.cria.Profile;
import dev.cria.llm.Llama;
import dev.cria.llm.MemoryPlan;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.LoraConfig;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Objective;
import dev.cria.llm.train.StepReport;
import dev.cria.llm.train.Trainer;
import dev.cria.llm.train.TrainerConfig;
import dev.cria.llm.train.TrainerListener;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Whole optimisation steps of a trainer, and where their time goes. */
abstract class BenchTraining extends BenchRun {
  @Option(
      names = "--memory",
      order = 12,
      paramLabel = "SIZE",
      converter = Sizes.Converter.class,
      description = "Most resident memory; blocks are recomputed so that it holds (no limit).")
  private long memory;

  /** What the trainer reports on the way. */
  private static final class Watch implements TrainerListener {
    final List<StepReport> steps = new ArrayList<>();
    final List<List<Profile.Entry>> calls = new ArrayList<>();
    @Nullable MemoryPlan plan;
    double preparation;
    private long begin;

    @Override
    public void started(Start start) {
      plan = start.memory();
      begin = System.nanoTime();
    }

    @Override
    public void step(StepReport report) {
      if (steps.isEmpty()) {
        preparation = (System.nanoTime() - begin) * 1e-9 - report.seconds();
      }
      steps.add(report);
      calls.add(Profile.entries());
      Profile.reset();
    }
  }

  protected abstract Llama open(Device device, Progress progress) throws IOException;

  protected abstract Objective objective();

  /** One item of random tokens; every one has the same size. */
  protected abstract Item item(int number, Random random, int vocab);

  /** Rank of the adapter that is trained; 0: all parameters are. */
  protected abstract int rank();

  /** Items of a step. */
  protected abstract int itemsPerStep();

  /** What the items of a step are called in the report. */
  protected abstract String unit();

  @Override
  protected void measure(Device device) throws IOException {
    try (Phases phases = new Phases();
        Progress progress = progress();
        Llama model = open(device, progress)) {
      phases.done("weights");
      if (rank() > 0) {
        Lora.attach(model, LoraConfig.of(rank(), rank()));
      }
      Random random = new Random(0);
      int count = itemsPerStep() * (repeats + 1);
      List<Item> items = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        items.add(item(i, random, model.config().vocab()));
      }
      TrainerConfig settings =
          TrainerConfig.defaults()
              .steps(repeats + 1L)
              .batchItems(itemsPerStep())
              .batchTokens((long) items.getFirst().rows() * itemsPerStep())
              .memoryLimit(memory);
      Watch watch = new Watch();
      Profile.reset();
      new Trainer(model, objective(), settings).listener(watch).train(items);
      phases.done("training");
      report(model, watch, phases);
    }
  }

  private void report(Llama model, Watch watch, Phases phases) {
    List<StepReport> steps = watch.steps.subList(1, watch.steps.size());
    double[] each = steps.stream().mapToDouble(StepReport::seconds).toArray();
    Measured seconds = Measured.of(each);
    long rows = steps.getFirst().rows();
    Measured rate = seconds.map(s -> rows / s);
    fact("model_parameters", model.config().parameters());
    fact("full", rank() == 0);
    fact("rank", rank());
    fact("tokens", rows);
    fact(unit(), itemsPerStep());
    fact("step_seconds", seconds);
    fact("tokens_per_second", rate);
    fact("peak_resident_bytes", phases.peak());
    fact("phases", phases.toList());
    say("step of %d tokens, %d %s", rows, itemsPerStep(), unit());
    say("  %s s, %s tokens/s", seconds.show(3), rate.show(1));
    double reference = watch.preparation / ((double) itemsPerStep() * watch.steps.size());
    if (objective().name().equals("dpo")) {
      Measured whole = seconds.map(s -> s + reference * itemsPerStep());
      fact("reference_seconds_per_pair", reference);
      fact("step_seconds_with_reference", whole);
      say("  %s s with the reference pass, %.3f s a pair", whole.show(3), reference);
    }
    MemoryPlan plan = watch.plan;
    if (plan != null) {
      fact("memory_plan", plan.toMap());
      say(
          "  peak memory %s; %d of %d blocks recomputed",
          Sizes.show(phases.peak()), plan.recomputedBlocks(), plan.blocks());
    }
    calls("step", watch.calls.subList(1, watch.calls.size()), each);
  }
}
