package dev.cria.cli;

import dev.cria.llm.train.EvalReport;
import dev.cria.llm.train.History;
import dev.cria.llm.train.StepReport;
import dev.cria.llm.train.TrainerListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Shows and logs what a trainer does. The output folder is not touched before the trainer has
 * accepted settings, data and checkpoint. A step after which a checkpoint is due is logged when the
 * checkpoint is on the disk, so that the log never shows a whole interval that a resume would
 * repeat.
 */
final class RunListener implements TrainerListener, AutoCloseable {
  /** Makes the output folder ready. */
  interface Beginning {
    /** {@code fresh}: what a run before left is to go. */
    void begin(Start start, boolean fresh) throws IOException;
  }

  private final Beginning beginning;
  private final MetricsLog metrics;
  private final Progress progress;
  private final Consumer<String> warnings;
  private final long saveEvery;
  private final List<Runnable> waiting = new ArrayList<>();
  private @Nullable Start start;
  private long resumedAt = -1;
  private boolean begun;

  RunListener(
      Beginning beginning,
      MetricsLog metrics,
      Progress progress,
      Consumer<String> warnings,
      long saveEvery) {
    this.beginning = beginning;
    this.metrics = metrics;
    this.progress = progress;
    this.warnings = warnings;
    this.saveEvery = saveEvery;
  }

  /** Step at which an interrupted run went on, -1 if it did not. */
  long resumedAt() {
    return resumedAt;
  }

  @Override
  public void started(Start what) {
    start = what;
  }

  private void begin(boolean fresh) {
    Start what = start;
    if (begun || what == null) {
      return;
    }
    begun = true;
    try {
      beginning.begin(what, fresh);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void resumed(long step, History history) {
    begin(false);
    resumedAt = step;
    metrics.resumed(step, history);
  }

  @Override
  public void progress(String work, long done, long total) {
    begin(true);
    progress.at(work, done, total);
  }

  @Override
  public void step(StepReport report) {
    begin(true);
    waiting.add(() -> metrics.step(report));
    if (saveEvery == 0 || report.step() % saveEvery != 0) {
      log();
    }
    Start what = start;
    progress.at("training", report.step(), what == null ? report.step() : what.steps());
    progress.note("loss %.4f  %,.0f tokens/s".formatted(report.loss(), report.tokensPerSecond()));
  }

  @Override
  public void evaluated(EvalReport report) {
    begin(true);
    waiting.add(() -> metrics.evaluated(report));
    if (saveEvery == 0 || report.step() % saveEvery != 0 || report.step() == 0) {
      log();
    }
  }

  private void log() {
    waiting.forEach(Runnable::run);
    waiting.clear();
  }

  @Override
  public void checkpointed(long step, Path directory) {
    log();
    progress.note("checkpoint " + step);
  }

  @Override
  public void warning(String message) {
    warnings.accept(message);
  }

  @Override
  public void close() {
    log();
    metrics.close();
  }
}
