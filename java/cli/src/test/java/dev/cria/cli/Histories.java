package dev.cria.cli;

import dev.cria.llm.train.EvalReport;
import dev.cria.llm.train.History;
import dev.cria.llm.train.Samples;
import dev.cria.llm.train.StepReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Made-up reports of runs for the tests of what shows them. */
final class Histories {
  private Histories() {}

  static StepReport step(long step, double loss, Map<String, Double> metrics) {
    return new StepReport(step, step / 100.0, loss, metrics, 2048, 2000, 1, 1e-3, 0.25, 1, 2);
  }

  static EvalReport evaluation(long step, double loss) {
    return new EvalReport(
        step, Map.of("loss", Samples.of(new double[] {loss - 0.02, loss + 0.02})), 1.5);
  }

  /** A falling loss with noise. */
  static History falling(int steps, boolean pairs) {
    SplittableRandom random = new SplittableRandom(1);
    List<StepReport> reports = new ArrayList<>();
    List<EvalReport> evaluations = new ArrayList<>();
    for (int i = 1; i <= steps; i++) {
      double level = Math.exp(-3.0 * i / steps);
      double noise = 0.1 * random.nextDouble();
      Map<String, Double> metrics =
          pairs
              ? Map.of(
                  "accuracy", 1 - level / 2, "rewards_chosen", -level, "rewards_rejected", -2.0)
              : Map.of();
      reports.add(step(i, 1 + 2 * level + noise, metrics));
      if (i % (steps / 4) == 0) {
        evaluations.add(evaluation(i, 1.05 + 2 * level));
      }
    }
    return new History(reports, evaluations);
  }
}
