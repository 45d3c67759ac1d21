package dev.cria.llm.train;

import dev.cria.llm.MemoryPlan;
import java.nio.file.Path;

/** Told what a trainer does, on the thread that trains. Every method may be left out. */
public interface TrainerListener {
  /** The run is about to begin. */
  default void started(Start start) {}

  /** A run that was interrupted goes on; these steps are done. */
  default void resumed(long step, History history) {}

  /** A step is done. */
  default void step(StepReport report) {}

  /** The held-out items were evaluated. */
  default void evaluated(EvalReport report) {}

  /** The state after a step is on the disk. */
  default void checkpointed(long step, Path directory) {}

  /** A long piece of work other than steps is {@code done} of {@code total} parts far. */
  default void progress(String work, long done, long total) {}

  /** Something worth knowing that does not stop the run. */
  default void warning(String message) {}

  /**
   * What a run is going to be.
   *
   * @param steps of the whole run
   * @param items it learns from
   * @param heldOut items of the evaluation
   * @param trainedParameters number of values it changes
   * @param memory what it needs
   */
  record Start(long steps, int items, int heldOut, long trainedParameters, MemoryPlan memory) {}
}
