package dev.cria.optim;

import dev.cria.CriaException;

/**
 * Learning rate over the steps of a run. The first {@code warmup} steps rise evenly to the peak
 * (step s, counted from 0, has (s + 1) / warmup of it); the rest follows the curve.
 */
public sealed interface Schedule {
  /** Learning rate of a step, counted from 0, of a run of {@code totalSteps}. */
  float at(long step, long totalSteps);

  /** The peak throughout. */
  static Schedule constant(float peak, long warmup) {
    return new Constant(peak, warmup);
  }

  /**
   * A straight line from the peak to {@code floor * peak}, which the step after the last reaches.
   */
  static Schedule linear(float peak, long warmup, float floor) {
    return new Linear(peak, warmup, floor);
  }

  /** Half a cosine from the peak to {@code floor * peak} (Loshchilov and Hutter 2017). */
  static Schedule cosine(float peak, long warmup, float floor) {
    return new Cosine(peak, warmup, floor);
  }

  /** See {@link Schedule#constant}. */
  record Constant(float peak, long warmup) implements Schedule {
    /** Checks the numbers. */
    public Constant {
      check(peak, warmup, 0);
    }

    @Override
    public float at(long step, long totalSteps) {
      return step < warmup ? rise(peak, step, warmup) : peak;
    }
  }

  /** See {@link Schedule#linear}. */
  record Linear(float peak, long warmup, float floor) implements Schedule {
    /** Checks the numbers. */
    public Linear {
      check(peak, warmup, floor);
    }

    @Override
    public float at(long step, long totalSteps) {
      if (step < warmup) {
        return rise(peak, step, warmup);
      }
      return (float) (peak * (floor + (1 - floor) * (1 - progress(step, warmup, totalSteps))));
    }
  }

  /** See {@link Schedule#cosine}. */
  record Cosine(float peak, long warmup, float floor) implements Schedule {
    /** Checks the numbers. */
    public Cosine {
      check(peak, warmup, floor);
    }

    @Override
    public float at(long step, long totalSteps) {
      if (step < warmup) {
        return rise(peak, step, warmup);
      }
      double wave = 0.5 * (1 + Math.cos(Math.PI * progress(step, warmup, totalSteps)));
      return (float) (peak * (floor + (1 - floor) * wave));
    }
  }

  private static float rise(float peak, long step, long warmup) {
    return (float) (peak * ((step + 1) / (double) warmup));
  }

  private static double progress(long step, long warmup, long totalSteps) {
    return Math.min(1.0, (step - warmup) / (double) Math.max(1, totalSteps - warmup));
  }

  private static void check(float peak, long warmup, float floor) {
    if (!(peak >= 0) || Float.isInfinite(peak) || warmup < 0 || !(floor >= 0 && floor <= 1)) {
      throw new CriaException(
          "schedule: peak " + peak + ", warm-up " + warmup + " steps, floor " + floor);
    }
  }
}
