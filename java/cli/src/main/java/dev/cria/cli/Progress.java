package dev.cria.cli;

import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** One progress bar at a time on standard error, where that is a terminal. */
final class Progress implements AutoCloseable {
  private final boolean shown;
  private @Nullable ProgressBar bar;
  private String work = "";

  Progress(boolean wanted) {
    shown = wanted && Terminal.interactive();
  }

  /** {@code done} of {@code total} parts of {@code name} are done. */
  void at(String name, long done, long total) {
    if (!shown) {
      return;
    }
    ProgressBar now = bar;
    if (now == null || !name.equals(work)) {
      close();
      now =
          new ProgressBarBuilder()
              .setTaskName(name)
              .setInitialMax(total)
              .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BLOCK)
              .setUpdateIntervalMillis(200)
              .build();
      bar = now;
      work = name;
    }
    now.maxHint(total);
    now.stepTo(done);
    if (done >= total) {
      close();
    }
  }

  /** Words behind the bar. */
  void note(String text) {
    if (bar != null) {
      bar.setExtraMessage(" " + text);
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
    work = "";
  }
}
