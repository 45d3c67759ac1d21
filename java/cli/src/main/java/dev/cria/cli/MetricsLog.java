package dev.cria.cli;

import dev.cria.llm.train.EvalReport;
import dev.cria.llm.train.History;
import dev.cria.llm.train.StepReport;
import dev.cria.llm.train.TrainerListener;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Writes every report of a trainer to a file of JSON lines as soon as it comes.
 *
 * <p>Each line has {@code stage} and {@code event} ({@code step} or {@code evaluation}) and then
 * the fields of the report. When an interrupted run goes on, the lines of its stage are written
 * anew from the history of the checkpoint: a step that is repeated, or half a line at the end, does
 * not stay in the file.
 */
final class MetricsLog implements TrainerListener, AutoCloseable {
  private static final JsonMapper JSON = JsonMapper.shared();

  private final Path file;
  private final String stage;
  private @Nullable BufferedWriter out;

  private MetricsLog(Path file, String stage) {
    this.file = file;
    this.stage = stage;
  }

  /**
   * Opens the log of one stage; what is in the file stays.
   *
   * @param file made with its folder when first written to
   * @param stage name of the run among those in the file, for example {@code sft}
   */
  static MetricsLog append(Path file, String stage) {
    return new MetricsLog(file, stage);
  }

  @Override
  public void step(StepReport report) {
    line("step", report.toMap());
  }

  @Override
  public void evaluated(EvalReport report) {
    line("evaluation", report.toMap());
  }

  @Override
  public void resumed(long step, History history) {
    close();
    List<String> lines = linesOfOtherStages();
    int next = 0;
    for (StepReport report : history.steps()) {
      while (next < history.evaluations().size()
          && history.evaluations().get(next).step() < report.step()) {
        lines.add(text("evaluation", history.evaluations().get(next++).toMap()));
      }
      lines.add(text("step", report.toMap()));
    }
    while (next < history.evaluations().size()) {
      lines.add(text("evaluation", history.evaluations().get(next++).toMap()));
    }
    try {
      makeFolder();
      Path aside = file.resolveSibling(file.getFileName() + ".part");
      Files.write(aside, lines);
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whole lines that another stage wrote; text that is no JSON was cut off by a kill. */
  private List<String> linesOfOtherStages() {
    List<String> kept = new ArrayList<>();
    if (!Files.isRegularFile(file)) {
      return kept;
    }
    try {
      for (String line : Files.readAllLines(file)) {
        if (!stage.equals(stageOf(line, stage))) {
          kept.add(line);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return kept;
  }

  private static String stageOf(String line, String otherwise) {
    try {
      JsonNode node = JSON.readTree(line);
      return node.path("stage").asString(otherwise);
    } catch (JacksonException e) {
      return otherwise;
    }
  }

  private String text(String event, Map<String, Object> fields) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("stage", stage);
    all.put("event", event);
    all.putAll(fields);
    return JSON.writeValueAsString(all);
  }

  private void line(String event, Map<String, Object> fields) {
    try {
      BufferedWriter writer = out;
      if (writer == null) {
        makeFolder();
        writer =
            Files.newBufferedWriter(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        out = writer;
      }
      writer.write(text(event, fields));
      writer.write('\n');
      writer.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void makeFolder() throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
  }

  @Override
  public void close() {
    BufferedWriter writer = out;
    out = null;
    if (writer != null) {
      try {
        writer.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
