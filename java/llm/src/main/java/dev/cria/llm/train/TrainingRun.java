package dev.cria.llm.train;

import dev.cria.CriaException;
import dev.cria.Scope;
import dev.cria.autograd.Tape;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.Keys;
import dev.cria.llm.Llama;
import dev.cria.llm.MemoryPlan;
import dev.cria.llm.ProcessMemory;
import dev.cria.llm.checkpoint.AtomicFolder;
import dev.cria.nn.Parameter;
import dev.cria.optim.AdamW;
import dev.cria.optim.GradientBuffer;
import dev.cria.optim.Schedule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One run of a {@link Trainer}: its state and its loop. */
final class TrainingRun implements AutoCloseable {
  private final Llama model;
  private final Objective objective;
  private final TrainerConfig config;
  private final TrainerListener listener;
  private final List<Item> items;
  private final List<Item> heldOut;
  private final BatchPlan plan;
  private final MemoryPlan memory;
  private final List<Parameter> parameters;
  private final TrainingCheckpoint.Identity identity;
  private final List<StepReport> steps = new ArrayList<>();
  private final List<EvalReport> evaluations = new ArrayList<>();
  private final GradientBuffer gradients;
  private final AdamW optimizer;
  private long done;
  private @Nullable Path newest;

  TrainingRun(
      Llama model,
      Objective objective,
      TrainerConfig config,
      TrainerListener listener,
      List<Item> items,
      List<Item> heldOut) {
    this.model = model;
    this.objective = objective;
    this.config = config;
    this.listener = listener;
    this.items = items;
    this.heldOut = heldOut;
    this.plan = new BatchPlan(items, config);
    this.parameters = model.trainedParameters();
    this.memory =
        MemoryPlan.of(model, plan.mostRows(), config.adamw().eightBit(), config.memoryLimit());
    this.identity =
        new TrainingCheckpoint.Identity(
            objective.settings() + ", " + config.settings(),
            model.config() + " " + parameters,
            items.size()
                + " items "
                + Long.toHexString(hash(items))
                + ", held out "
                + heldOut.size()
                + " "
                + Long.toHexString(hash(heldOut)));
    this.gradients = new GradientBuffer(model.device(), parameters);
    try {
      this.optimizer = new AdamW(parameters, config.adamw());
    } catch (RuntimeException | Error e) {
      gradients.close();
      throw e;
    }
  }

  private static long hash(List<Item> items) {
    long key = 0;
    for (Item item : items) {
      key = Keys.of(key, item.fingerprint());
    }
    return key;
  }

  History run() {
    long values = parameters.stream().mapToLong(p -> p.value().size()).sum();
    listener.started(
        new TrainerListener.Start(plan.steps(), items.size(), heldOut.size(), values, memory));
    parameters.forEach(p -> p.setTrainable(true));
    if (!resume()) {
      objective.prepare(model, items, plan.used(), heldOut, plan.mostRows(), listener::progress);
      evaluate();
    }
    while (done < plan.steps()) {
      step();
      boolean last = done == plan.steps();
      if (last || due(config.evaluateEvery())) {
        evaluate();
      }
      if (config.directory() != null && (last || due(config.saveEvery()))) {
        save();
      }
    }
    return new History(steps, evaluations);
  }

  private boolean due(long every) {
    return every > 0 && done % every == 0;
  }

  private boolean resume() {
    Path directory = config.directory();
    if (directory == null || !config.resume()) {
      return false;
    }
    Optional<Path> found = TrainingCheckpoint.newest(directory);
    if (found.isEmpty()) {
      return false;
    }
    try {
      AtomicFolder.sweep(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    History history =
        TrainingCheckpoint.restore(
            found.get(), identity, model, optimizer, objective, items, heldOut);
    steps.addAll(history.steps());
    evaluations.addAll(history.evaluations());
    done = TrainingCheckpoint.step(found.get());
    newest = found.get();
    listener.resumed(done, history);
    return true;
  }

  private void save() {
    try {
      Path written =
          TrainingCheckpoint.write(
              java.util.Objects.requireNonNull(config.directory()),
              config.keep(),
              done,
              identity,
              model,
              optimizer,
              objective.state(items, heldOut),
              new History(steps, evaluations));
      newest = written;
      listener.checkpointed(done, written);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void evaluate() {
    if (heldOut.isEmpty()) {
      return;
    }
    long begin = System.nanoTime();
    var figures =
        objective.evaluate(model, heldOut, model.inference(), plan.mostRows(), listener::progress);
    EvalReport report = new EvalReport(done, figures, (System.nanoTime() - begin) * 1e-9);
    evaluations.add(report);
    listener.evaluated(report);
  }

  private void step() {
    long begin = System.nanoTime();
    List<int[]> batches = plan.step(done);
    gradients.zero();
    Metrics metrics = new Metrics();
    double loss = 0;
    double weight = 0;
    long rows = 0;
    for (int micro = 0; micro < batches.size(); micro++) {
      List<Item> batch = new ArrayList<>();
      for (int i : batches.get(micro)) {
        batch.add(items.get(i));
        weight += items.get(i).weight();
        rows += items.get(i).rows();
      }
      loss += backward(batch, micro, metrics);
    }
    double norm = gradients.norm() / weight;
    double mean = loss / weight;
    if (!Double.isFinite(mean) || !Double.isFinite(norm)) {
      throw new CriaException(
          "training: step "
              + (done + 1)
              + " has loss "
              + mean
              + " and gradient norm "
              + norm
              + "; stopped before the update, "
              + (newest == null ? "no checkpoint was made yet" : "the last checkpoint is " + newest)
              + "; try a lower learning rate");
    }
    // The rule of PyTorch's clip_grad_norm_.
    double clip = config.clipNorm() > 0 ? Math.min(1, config.clipNorm() / (norm + 1e-6)) : 1;
    float rate =
        schedule(config.schedule(), config.learningRate(), config.warmup(plan.steps()))
            .at(done, plan.steps());
    optimizer.step(rate, (float) (clip / weight));
    done++;
    StepReport report =
        new StepReport(
            done,
            plan.epochsAfter(done),
            mean,
            metrics.means(),
            rows,
            weight,
            norm,
            rate,
            (System.nanoTime() - begin) * 1e-9,
            model.device().liveBytes(),
            ProcessMemory.residentBytes());
    steps.add(report);
    listener.step(report);
  }

  /** Adds the gradients of a micro-batch and returns its loss, both as sums. */
  private double backward(List<Item> batch, int micro, Metrics metrics) {
    ForwardContext context =
        ForwardContext.training(model.activeAdapter(), config.seed(), done, micro)
            .recomputing(memory.recomputedBlocks());
    try (Scope step = Scope.open();
        Tape tape = Tape.record()) {
      Loss loss = objective.loss(model, batch, context, metrics);
      if (Double.isFinite(loss.value())) {
        tape.backward(loss.sum());
      }
      return loss.value();
    }
  }

  private static Schedule schedule(TrainerConfig.LearningRate shape, double peak, long warmup) {
    return switch (shape) {
      case CONSTANT -> Schedule.constant((float) peak, warmup);
      case LINEAR -> Schedule.linear((float) peak, warmup, 0);
      case COSINE -> Schedule.cosine((float) peak, warmup, 0);
    };
  }

  @Override
  public void close() {
    parameters.forEach(p -> p.setTrainable(false));
    optimizer.close();
    gradients.close();
  }
}
