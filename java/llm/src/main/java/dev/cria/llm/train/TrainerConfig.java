package dev.cria.llm.train;

import dev.cria.CriaException;
import dev.cria.optim.AdamWConfig;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * How a {@link Trainer} runs. Immutable; start from {@link #defaults} and change what differs.
 *
 * @param epochs how often all items are used, when {@code steps} is 0
 * @param steps optimisation steps, 0 to go by epochs
 * @param batchTokens most rows of a micro-batch; a longer item is a micro-batch of its own
 * @param batchItems most items of a micro-batch, 0 for any number
 * @param accumulate micro-batches of a step
 * @param shuffle whether each epoch has an order of its own
 * @param learningRate peak
 * @param schedule shape of the learning rate over the run
 * @param warmupSteps steps in which the rate rises from 0; -1 to use {@code warmupRatio}
 * @param warmupRatio the same as a share of all steps
 * @param adamw betas, epsilon, weight decay, size of the moments
 * @param clipNorm most norm of a step's gradient; larger ones are scaled down, 0 never
 * @param evaluateEvery steps between evaluations; 0: only before and after training
 * @param saveEvery steps between checkpoints; 0: none
 * @param keep how many checkpoints stay
 * @param directory where checkpoints are kept; null: none are
 * @param resume whether to go on from the newest checkpoint in {@code directory}, if there is one
 * @param memoryLimit most resident bytes of the process, 0 for no limit
 * @param seed of order and dropout
 */
public record TrainerConfig(
    int epochs,
    long steps,
    long batchTokens,
    int batchItems,
    int accumulate,
    boolean shuffle,
    double learningRate,
    LearningRate schedule,
    long warmupSteps,
    double warmupRatio,
    AdamWConfig adamw,
    double clipNorm,
    long evaluateEvery,
    long saveEvery,
    int keep,
    @Nullable Path directory,
    boolean resume,
    long memoryLimit,
    long seed) {

  /** Shape of the learning rate after warm-up. */
  public enum LearningRate {
    /** Stays at the peak. */
    CONSTANT,
    /** Falls to 0 in a straight line. */
    LINEAR,
    /** Falls to 0 along a half cosine. */
    COSINE
  }

  /** Checks the numbers. */
  public TrainerConfig {
    require(steps >= 0, "steps", steps);
    require(steps > 0 || epochs >= 1, "epochs", epochs);
    require(batchTokens >= 1, "batch tokens", batchTokens);
    require(batchItems >= 0, "batch items", batchItems);
    require(accumulate >= 1, "accumulate", accumulate);
    require(learningRate >= 0 && learningRate < 1e6, "learning rate", learningRate);
    require(warmupSteps >= -1, "warm-up steps", warmupSteps);
    require(warmupRatio >= 0 && warmupRatio <= 1, "warm-up ratio", warmupRatio);
    require(clipNorm >= 0, "clip norm", clipNorm);
    require(evaluateEvery >= 0, "steps between evaluations", evaluateEvery);
    require(saveEvery >= 0, "steps between checkpoints", saveEvery);
    require(keep >= 1, "checkpoints to keep", keep);
    require(memoryLimit >= 0, "memory limit", memoryLimit);
    if (saveEvery > 0 && directory == null) {
      throw new CriaException("training: checkpoints every " + saveEvery + " steps, but nowhere");
    }
  }

  private static void require(boolean good, String what, double value) {
    if (!good) {
      throw new CriaException("training: " + what + " cannot be " + value);
    }
  }

  /**
   * One epoch of micro-batches of 2048 tokens, learning rate 2e-4, cosine after 3 % warm-up, AdamW
   * without decay, gradients clipped to norm 1.
   */
  public static TrainerConfig defaults() {
    return new TrainerConfig(
        1,
        0,
        2048,
        0,
        1,
        true,
        2e-4,
        LearningRate.COSINE,
        -1,
        0.03,
        AdamWConfig.standard(),
        1.0,
        0,
        0,
        2,
        null,
        false,
        0,
        0);
  }

  /** The same with so many epochs instead of steps. */
  public TrainerConfig epochs(int value) {
    return with(
        c -> {
          c.epochs = value;
          c.steps = 0;
        });
  }

  /** The same with so many steps instead of epochs. */
  public TrainerConfig steps(long value) {
    return with(c -> c.steps = value);
  }

  /** The same with another size of micro-batches, in rows. */
  public TrainerConfig batchTokens(long value) {
    return with(c -> c.batchTokens = value);
  }

  /** The same with another limit of items in a micro-batch, 0 for none. */
  public TrainerConfig batchItems(int value) {
    return with(c -> c.batchItems = value);
  }

  /** The same with another number of micro-batches in a step. */
  public TrainerConfig accumulate(int value) {
    return with(c -> c.accumulate = value);
  }

  /** The same with or without shuffling. */
  public TrainerConfig shuffle(boolean value) {
    return with(c -> c.shuffle = value);
  }

  /** The same with another peak learning rate. */
  public TrainerConfig learningRate(double value) {
    return with(c -> c.learningRate = value);
  }

  /** The same with another shape of the learning rate. */
  public TrainerConfig schedule(LearningRate value) {
    return with(c -> c.schedule = value);
  }

  /** The same with so many steps of warm-up. */
  public TrainerConfig warmupSteps(long value) {
    return with(c -> c.warmupSteps = value);
  }

  /** The same with warm-up over this share of all steps. */
  public TrainerConfig warmupRatio(double value) {
    return with(
        c -> {
          c.warmupRatio = value;
          c.warmupSteps = -1;
        });
  }

  /** The same with another optimiser. */
  public TrainerConfig adamw(AdamWConfig value) {
    return with(c -> c.adamw = value);
  }

  /** The same with another limit of the gradient's norm, 0 for none. */
  public TrainerConfig clipNorm(double value) {
    return with(c -> c.clipNorm = value);
  }

  /** The same with evaluations every so many steps. */
  public TrainerConfig evaluateEvery(long value) {
    return with(c -> c.evaluateEvery = value);
  }

  /** The same with or without going on from the newest checkpoint. */
  public TrainerConfig resume(boolean value) {
    return with(c -> c.resume = value);
  }

  /** The same with another limit of resident memory, in bytes, 0 for none. */
  public TrainerConfig memoryLimit(long value) {
    return with(c -> c.memoryLimit = value);
  }

  /** The same with another seed. */
  public TrainerConfig seed(long value) {
    return with(c -> c.seed = value);
  }

  /** The same with checkpoints in a folder every so many steps, the newest ones kept. */
  public TrainerConfig checkpoints(Path folder, long every, int newest) {
    return with(
        c -> {
          c.directory = folder;
          c.saveEvery = every;
          c.keep = newest;
        });
  }

  private TrainerConfig with(Consumer<Change> change) {
    Change copy = new Change(this);
    change.accept(copy);
    return copy.build();
  }

  /** The fields while they change. */
  private static final class Change {
    private int epochs;
    private long steps;
    private long batchTokens;
    private int batchItems;
    private int accumulate;
    private boolean shuffle;
    private double learningRate;
    private LearningRate schedule;
    private long warmupSteps;
    private double warmupRatio;
    private AdamWConfig adamw;
    private double clipNorm;
    private long evaluateEvery;
    private long saveEvery;
    private int keep;
    private @Nullable Path directory;
    private boolean resume;
    private long memoryLimit;
    private long seed;

    Change(TrainerConfig c) {
      epochs = c.epochs;
      steps = c.steps;
      batchTokens = c.batchTokens;
      batchItems = c.batchItems;
      accumulate = c.accumulate;
      shuffle = c.shuffle;
      learningRate = c.learningRate;
      schedule = c.schedule;
      warmupSteps = c.warmupSteps;
      warmupRatio = c.warmupRatio;
      adamw = c.adamw;
      clipNorm = c.clipNorm;
      evaluateEvery = c.evaluateEvery;
      saveEvery = c.saveEvery;
      keep = c.keep;
      directory = c.directory;
      resume = c.resume;
      memoryLimit = c.memoryLimit;
      seed = c.seed;
    }

    TrainerConfig build() {
      return new TrainerConfig(
          epochs,
          steps,
          batchTokens,
          batchItems,
          accumulate,
          shuffle,
          learningRate,
          schedule,
          warmupSteps,
          warmupRatio,
          adamw,
          clipNorm,
          evaluateEvery,
          saveEvery,
          keep,
          directory,
          resume,
          memoryLimit,
          seed);
    }
  }

  /** Warm-up steps of a run of {@code total} steps. */
  long warmup(long total) {
    return warmupSteps >= 0 ? warmupSteps : (long) Math.ceil(warmupRatio * total);
  }

  /** Everything that changes the result, to recognise an interrupted run. */
  String settings() {
    return "epochs "
        + epochs
        + ", steps "
        + steps
        + ", batch tokens "
        + batchTokens
        + ", batch items "
        + batchItems
        + ", accumulate "
        + accumulate
        + ", shuffle "
        + shuffle
        + ", learning rate "
        + learningRate
        + ", schedule "
        + schedule
        + ", warm-up "
        + warmupSteps
        + " or "
        + warmupRatio
        + ", "
        + adamw
        + ", clip "
        + clipNorm
        + ", seed "
        + seed;
  }
}
