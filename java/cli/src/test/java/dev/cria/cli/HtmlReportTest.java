package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.llm.train.History;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page stands alone, shows what it is given and lets no text become markup. */
final class HtmlReportTest {
  @TempDir private Path folder = Path.of("");

  @Test
  void pageNeedsNothingFromOutside() throws IOException {
    Path file = folder.resolve("report.html");
    report().write(file);
    String html = Files.readString(file);
    assertThat(html)
        .startsWith("<!doctype html>")
        .doesNotContain("http:", "https:", "src=", "<link");
    assertThat(html).contains("prefers-color-scheme: dark");
    assertThat(folder).isDirectoryContaining(p -> p.endsWith("report.html"));
    assertThat(folder).isDirectoryNotContaining(p -> p.toString().endsWith(".part"));
  }

  @Test
  void textOfTheModelCannotBecomeMarkup() {
    String html =
        new HtmlReport("<b>", "a & b")
            .table("Samples", List.of("answer"), List.of(List.of("<script>alert('x')</script>")))
            .html();
    assertThat(html).doesNotContain("<script>", "<b>");
    assertThat(html).contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;", "a &amp; b");
  }

  @Test
  void nestedSettingsBecomeRows() {
    String html = new HtmlReport("t", "s").settings("S", Map.of("lora", Map.of("rank", 8))).html();
    assertThat(html).contains("<td>lora.rank</td><td>8</td>");
  }

  @Test
  void everyStageHasItsCurves() {
    assertThat(charts(new HtmlReport("t", "s").stage("SFT", "nats", Histories.falling(40, false))))
        .isEqualTo(1);
    assertThat(charts(new HtmlReport("t", "s").stage("DPO", "nats", Histories.falling(40, true))))
        .isEqualTo(3);
  }

  @Test
  void runWithoutStepsHasAnEmptyChart() {
    History nothing = new History(List.of(), List.of());
    assertThat(charts(new HtmlReport("t", "s").stage("SFT", "nats", nothing))).isEqualTo(1);
  }

  @Test
  void curvesStayInsideTheirFrame() {
    LineChart chart =
        new LineChart("step", "loss")
            .noisy("a", 1, new double[] {1, 2, 3}, new double[] {1e6, Double.NaN, 1})
            .points("b", 2, new double[] {0, 3}, new double[] {-5, 0.5}, new double[] {1, 0});
    Matcher dots = Pattern.compile("cx=\"([^\"]*)\" cy=\"([^\"]*)\"").matcher(chart.svg());
    int count = 0;
    for (; dots.find(); count++) {
      assertThat(Double.parseDouble(dots.group(1))).isBetween(0.0, 720.0);
      assertThat(Double.parseDouble(dots.group(2))).isBetween(0.0, 300.0);
    }
    assertThat(count).isEqualTo(2);
    assertThat(chart.svg()).doesNotContain("NaN", "Infinity");
  }

  @Test
  void ticksAreRound() {
    assertThat(LineChart.tick(10, 5)).isEqualTo(2);
    assertThat(LineChart.tick(1, 5)).isEqualTo(0.2);
    assertThat(LineChart.tick(3000, 8)).isEqualTo(500);
  }

  private static HtmlReport report() {
    return new HtmlReport("cria sft", "A supervised run.")
        .stage("Supervised fine-tuning", "nats per token", Histories.falling(400, false))
        .stage("Preferences", "nats per pair", Histories.falling(200, true))
        .settings("Settings", Map.of("rank", 16))
        .table("Samples", List.of("question", "answer"), List.of(List.of("a\nb", "c")));
  }

  /** Number of images; each element of each must be closed in order. */
  private static int charts(HtmlReport report) {
    String html = report.html();
    int count = 0;
    for (int at = html.indexOf("<svg"); at >= 0; at = html.indexOf("<svg", at + 1)) {
      Deque<String> open = new ArrayDeque<>();
      Matcher tags =
          Pattern.compile("<(/?)([a-z]+)[^<>]*?(/?)>")
              .matcher(html.substring(at, html.indexOf("</svg>", at) + 6));
      while (tags.find()) {
        if (!tags.group(1).isEmpty()) {
          assertThat(open.pop()).isEqualTo(tags.group(2));
        } else if (tags.group(3).isEmpty()) {
          open.push(tags.group(2));
        }
      }
      assertThat(open).isEmpty();
      count++;
    }
    return count;
  }
}
