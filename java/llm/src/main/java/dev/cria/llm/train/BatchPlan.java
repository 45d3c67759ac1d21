package dev.cria.llm.train;

import dev.cria.llm.Keys;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Which items each step of a run uses. It follows from the items, the settings and the seed alone,
 * so a resumed run finds its place by the number of the step.
 */
final class BatchPlan {
  private final List<Item> items;
  private final TrainerConfig config;
  private final long[] firstStep; // of each epoch, and one past the last
  private int cachedEpoch = -1;
  private List<List<int[]>> cached = List.of();

  /**
   * Plans a run.
   *
   * @param items all of positive weight
   */
  BatchPlan(List<Item> items, TrainerConfig config) {
    this.items = items;
    this.config = config;
    List<Long> starts = new ArrayList<>();
    starts.add(0L);
    long wanted = config.steps() > 0 ? config.steps() : Long.MAX_VALUE;
    int epochs = config.steps() > 0 ? Integer.MAX_VALUE : config.epochs();
    for (int e = 0; e < epochs && starts.getLast() < wanted; e++) {
      starts.add(Math.min(wanted, starts.getLast() + epoch(e).size()));
    }
    firstStep = starts.stream().mapToLong(Long::longValue).toArray();
  }

  /** Steps of the whole run. */
  long steps() {
    return firstStep[firstStep.length - 1];
  }

  /** Epochs done after {@code step} steps, with the part of the one under way. */
  double epochsAfter(long step) {
    for (int e = 0; e + 1 < firstStep.length; e++) {
      if (step <= firstStep[e + 1]) {
        return e + (double) (step - firstStep[e]) / epoch(e).size();
      }
    }
    return firstStep.length - 1;
  }

  /** The micro-batches of a step, counted from 0, each a list of item indexes. */
  List<int[]> step(long step) {
    int e = 0;
    while (step >= firstStep[e + 1]) {
      e++;
    }
    return epoch(e).get((int) (step - firstStep[e]));
  }

  /** Which items the run uses at all. */
  boolean[] used() {
    boolean[] used = new boolean[items.size()];
    if (firstStep.length > 2 || firstStep[1] == epoch(0).size()) {
      java.util.Arrays.fill(used, true);
      return used;
    }
    for (long s = 0; s < steps(); s++) {
      for (int[] batch : step(s)) {
        for (int i : batch) {
          used[i] = true;
        }
      }
    }
    return used;
  }

  /** Most rows of any micro-batch. */
  long mostRows() {
    long most = config.batchTokens();
    for (Item item : items) {
      most = Math.max(most, item.rows());
    }
    long all = 0;
    for (Item item : items) {
      all += item.rows();
    }
    return Math.min(most, all);
  }

  private List<List<int[]>> epoch(int number) {
    if (number == cachedEpoch) {
      return cached;
    }
    int[] order = order(number);
    List<int[]> batches = Packing.pack(items, order, config.batchTokens(), config.batchItems());
    List<List<int[]>> steps = new ArrayList<>();
    for (int at = 0; at < batches.size(); at += config.accumulate()) {
      steps.add(batches.subList(at, Math.min(batches.size(), at + config.accumulate())));
    }
    cachedEpoch = number;
    cached = steps;
    return steps;
  }

  /** A random order of the items, another for each epoch (Fisher and Yates). */
  private int[] order(int epoch) {
    int[] order = new int[items.size()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    if (config.shuffle()) {
      SplittableRandom random =
          new SplittableRandom(Keys.of(Keys.of(config.seed(), "order"), epoch));
      for (int i = order.length - 1; i > 0; i--) {
        int j = random.nextInt(i + 1);
        int swap = order[i];
        order[i] = order[j];
        order[j] = swap;
      }
    }
    return order;
  }
}
