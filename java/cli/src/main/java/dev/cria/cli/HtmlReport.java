package dev.cria.cli;

import dev.cria.llm.train.Estimate;
import dev.cria.llm.train.EvalReport;
import dev.cria.llm.train.History;
import dev.cria.llm.train.StepReport;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * A page about one run that needs no other file and no network: loss curves, tables of settings and
 * results, and sample answers, in the order in which they are added.
 */
final class HtmlReport {
  private static final double Z95 = 1.959963984540054; // normal quantile of a 95 % interval

  private final String title;
  private final StringBuilder body = new StringBuilder();

  /**
   * An empty page.
   *
   * @param title heading, for example {@code cria sft}
   * @param summary what was done, in a sentence
   */
  HtmlReport(String title, String summary) {
    this.title = title;
    body.append("<h1>").append(Html.escape(title)).append("</h1>\n");
    note(summary);
  }

  /** Adds a paragraph. */
  HtmlReport note(String text) {
    body.append("<p>").append(Html.escape(text)).append("</p>\n");
    return this;
  }

  /**
   * Adds the curves of a stage: its loss and, where the objective reports them, the preference
   * accuracy and the rewards of both answers.
   *
   * @param name heading
   * @param unit of the loss, for example {@code nats per token}
   */
  HtmlReport stage(String name, String unit, History history) {
    heading(name);
    List<StepReport> steps = history.steps();
    if (!steps.isEmpty()) {
      long rows = steps.stream().mapToLong(StepReport::rows).sum();
      double seconds = steps.stream().mapToDouble(StepReport::seconds).sum();
      note(
          "%,d steps, %,d tokens, %.1f s in the steps, %,.0f tokens per second. Pale: each step; strong: moving average."
              .formatted(steps.size(), rows, seconds, seconds > 0 ? rows / seconds : 0));
    }
    LineChart loss = new LineChart("optimisation step", "loss, " + unit);
    add(loss, history, "loss", StepReport::loss);
    figure("Loss", loss);
    if (reports(history, "accuracy")) {
      LineChart accuracy = new LineChart("optimisation step", "preference accuracy");
      add(accuracy, history, "accuracy", r -> metric(r, "accuracy"));
      figure("Preference accuracy: share of pairs whose chosen answer has gained more", accuracy);
    }
    if (reports(history, "rewards_chosen") && reports(history, "rewards_rejected")) {
      LineChart rewards = new LineChart("optimisation step", "reward");
      double[] x = steps.stream().mapToDouble(StepReport::step).toArray();
      rewards.noisy("chosen", 1, x, values(steps, r -> metric(r, "rewards_chosen")));
      rewards.noisy("rejected", 2, x, values(steps, r -> metric(r, "rewards_rejected")));
      figure("Rewards: beta times the gain in log-probability over the reference", rewards);
    }
    return this;
  }

  private static void add(
      LineChart chart, History history, String figure, ToDoubleFunction<StepReport> value) {
    List<StepReport> steps = history.steps();
    chart.noisy(
        "training",
        1,
        steps.stream().mapToDouble(StepReport::step).toArray(),
        values(steps, value));
    List<EvalReport> with =
        history.evaluations().stream().filter(e -> e.figures().containsKey(figure)).toList();
    if (!with.isEmpty()) {
      Estimate none = new Estimate(0, 0, 0);
      List<Estimate> figures =
          with.stream().map(e -> e.figures().getOrDefault(figure, none)).toList();
      chart.points(
          "held out, with 95 % interval",
          2,
          with.stream().mapToDouble(EvalReport::step).toArray(),
          figures.stream().mapToDouble(Estimate::mean).toArray(),
          figures.stream().mapToDouble(e -> Z95 * e.standardError()).toArray());
    }
  }

  private static double[] values(List<StepReport> steps, ToDoubleFunction<StepReport> value) {
    return steps.stream().mapToDouble(value).toArray();
  }

  private static boolean reports(History history, String metric) {
    return !history.steps().isEmpty() && history.steps().getFirst().metrics().containsKey(metric);
  }

  private static double metric(StepReport report, String name) {
    return report.metrics().getOrDefault(name, Double.NaN);
  }

  private void figure(String caption, LineChart chart) {
    body.append("<figure>\n<figcaption>")
        .append(Html.escape(caption))
        .append("</figcaption>\n")
        .append(chart.svg())
        .append("</figure>\n");
  }

  /** Adds a table of names and values; a map as a value becomes rows {@code name.inner}. */
  HtmlReport settings(String name, Map<String, ?> values) {
    List<List<String>> rows = new ArrayList<>();
    flatten("", values, rows);
    return table(name, List.of("setting", "value"), rows);
  }

  private static void flatten(String prefix, Map<?, ?> values, List<List<String>> rows) {
    values.forEach(
        (key, value) -> {
          if (value instanceof Map<?, ?> inner) {
            flatten(prefix + key + ".", inner, rows);
          } else {
            rows.add(List.of(prefix + key, String.valueOf(value)));
          }
        });
  }

  /** Adds a table; line breaks within a cell are kept. */
  HtmlReport table(String name, List<String> header, List<List<String>> rows) {
    heading(name);
    body.append("<div class=\"scroll\"><table>\n<thead><tr>");
    header.forEach(cell -> cell("th", cell));
    body.append("</tr></thead>\n<tbody>\n");
    for (List<String> row : rows) {
      body.append("<tr>");
      row.forEach(cell -> cell("td", cell));
      body.append("</tr>\n");
    }
    body.append("</tbody></table></div>\n");
    return this;
  }

  private void cell(String tag, String text) {
    body.append('<').append(tag).append('>').append(Html.escape(text));
    body.append("</").append(tag).append('>');
  }

  private void heading(String name) {
    body.append("<h2>").append(Html.escape(name)).append("</h2>\n");
  }

  /** The whole page. */
  String html() {
    return """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>%s</title>
    <style>
    %s</style>
    </head>
    <body>
    %s</body>
    </html>
    """
        .formatted(Html.escape(title), style(), body);
  }

  /** Writes the page, aside first, so that a reader never sees half of it. */
  void write(Path file) {
    try {
      Path aside = file.resolveSibling(file.getFileName() + ".part");
      Files.writeString(aside, html());
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String style() {
    try (InputStream in = HtmlReport.class.getResourceAsStream("report.css")) {
      if (in == null) {
        throw new IllegalStateException("report.css is missing from the program");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
