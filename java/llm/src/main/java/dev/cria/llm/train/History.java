package dev.cria.llm.train;

import java.util.List;

/** All reports of a run so far. */
public record History(List<StepReport> steps, List<EvalReport> evaluations) {
  /** Copies the lists. */
  public History {
    steps = List.copyOf(steps);
    evaluations = List.copyOf(evaluations);
  }
}
