package dev.cria.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Draws lines over optimisation steps as an inline SVG image whose colours the page decides. */
final class LineChart {
  private static final double WIDTH = 720;
  private static final double HEIGHT = 300;
  private static final double LEFT = 64;
  private static final double RIGHT = 16;
  private static final double TOP = 14;
  private static final double BOTTOM = 46;
  private static final int MOST_POINTS = 600;

  private final String xLabel;
  private final String yLabel;
  private final List<Series> all = new ArrayList<>();

  /**
   * Points of one line.
   *
   * @param colour 1 or 2, a colour of the page
   * @param error half the height of each point's interval, 0 for none
   */
  private record Series(
      String name, int colour, double[] x, double[] y, double[] error, boolean noisy) {}

  LineChart(String xLabel, String yLabel) {
    this.xLabel = xLabel;
    this.yLabel = yLabel;
  }

  /** Adds a line whose values jump: drawn thin and pale, with its moving average over it. */
  LineChart noisy(String name, int colour, double[] x, double[] y) {
    all.add(new Series(name, colour, x, y, new double[x.length], true));
    return this;
  }

  /** Adds a line of few points, each with a 95 % interval of plus and minus {@code error}. */
  LineChart points(String name, int colour, double[] x, double[] y, double[] error) {
    all.add(new Series(name, colour, x, y, error, false));
    return this;
  }

  /** The image, with a legend above it where there are several lines. */
  String svg() {
    double[] xRange = range(true);
    double[] yRange = range(false);
    double yStep = tick(yRange[1] - yRange[0], 5);
    double low = Math.floor(yRange[0] / yStep + 1e-9) * yStep;
    double high = Math.max(low + yStep, Math.ceil(yRange[1] / yStep - 1e-9) * yStep);
    Frame f = new Frame(Math.min(0, xRange[0]), Math.max(1, xRange[1]), low, high);
    StringBuilder svg = new StringBuilder(legend());
    svg.append(
        format(
            "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s over %s\">\n",
            WIDTH, HEIGHT, Html.escape(yLabel), Html.escape(xLabel)));
    grid(svg, f, yStep);
    for (Series s : all) {
      draw(svg, f, s);
    }
    return svg.append("</svg>\n").toString();
  }

  private record Frame(double x0, double x1, double y0, double y1) {
    double x(double value) {
      return LEFT + (value - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT);
    }

    double y(double value) {
      double inside = Math.max(y0, Math.min(y1, value));
      return TOP + (y1 - inside) / (y1 - y0) * (HEIGHT - TOP - BOTTOM);
    }
  }

  /** Smallest and largest x or y; single outliers of a noisy line do not count. */
  private double[] range(boolean ofX) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (Series s : all) {
      double[] values = ofX ? s.x : s.noisy ? average(s.y) : s.y;
      for (int i = 0; i < values.length; i++) {
        if (Double.isFinite(values[i])) {
          double error = ofX ? 0 : s.error[i];
          low = Math.min(low, values[i] - error);
          high = Math.max(high, values[i] + error);
        }
      }
    }
    return low <= high ? new double[] {low, high == low ? low + 1 : high} : new double[] {0, 1};
  }

  /** A round distance of about {@code wanted} ticks: 1, 2 or 5 times a power of ten. */
  static double tick(double span, int wanted) {
    double raw = span / wanted;
    double power = Math.pow(10, Math.floor(Math.log10(raw)));
    double share = raw / power;
    return power * (share <= 1.001 ? 1 : share <= 2.001 ? 2 : share <= 5.001 ? 5 : 10);
  }

  private String legend() {
    if (all.size() < 2) {
      return "";
    }
    StringBuilder text = new StringBuilder("<p class=\"legend\">");
    for (Series s : all) {
      text.append(format("<span><i class=\"k%d\"></i>%s</span>", s.colour, Html.escape(s.name)));
    }
    return text.append("</p>\n").toString();
  }

  private void grid(StringBuilder svg, Frame f, double yStep) {
    for (int i = 0; f.y0 + i * yStep <= f.y1 + yStep / 2; i++) {
      double value = f.y0 + i * yStep;
      double y = f.y(value);
      svg.append(
          format(
              "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
              LEFT, WIDTH - RIGHT, y, y));
      svg.append(text(LEFT - 8, y + 4, "end", number(value, yStep)));
    }
    double xStep = Math.max(1, tick(f.x1 - f.x0, 8));
    for (int i = 0; f.x0 + i * xStep <= f.x1 + 1e-9; i++) {
      double value = f.x0 + i * xStep;
      svg.append(text(f.x(value), HEIGHT - BOTTOM + 18, "middle", number(value, xStep)));
    }
    svg.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", xLabel));
    double middle = (TOP + HEIGHT - BOTTOM) / 2;
    svg.append(
        format(
            "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(14 %.1f)"
                + " rotate(-90)\">%s</text>\n",
            middle, Html.escape(yLabel)));
  }

  private static String text(double x, double y, String anchor, String value) {
    return format(
        "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
        x, y, anchor, Html.escape(value));
  }

  private static String number(double value, double step) {
    int digits = (int) Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    return digits > 4
        ? String.format(Locale.ROOT, "%.1e", value)
        : String.format(Locale.ROOT, "%,." + digits + "f", value + 0.0);
  }

  private static void draw(StringBuilder svg, Frame f, Series s) {
    if (s.x.length == 0) {
      return;
    }
    if (s.noisy) {
      svg.append(path(f, s, s.y, "raw"));
      svg.append(path(f, s, average(s.y), "line"));
      return;
    }
    svg.append(path(f, s, s.y, "line"));
    for (int i = 0; i < s.x.length; i++) {
      double x = f.x(s.x[i]);
      if (s.error[i] > 0) {
        svg.append(
            format(
                "<line class=\"s%d whisker\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                s.colour, x, x, f.y(s.y[i] - s.error[i]), f.y(s.y[i] + s.error[i])));
      }
      svg.append(
          format(
              "<circle class=\"dot%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%s, step %.0f:"
                  + " %.4f</title></circle>\n",
              s.colour, x, f.y(s.y[i]), Html.escape(s.name), s.x[i], s.y[i]));
    }
  }

  private static String path(Frame f, Series s, double[] y, String kind) {
    StringBuilder d = new StringBuilder();
    int every = Math.max(1, (y.length + MOST_POINTS - 1) / MOST_POINTS);
    for (int i = 0; i < y.length; i++) {
      if ((i % every == 0 || i == y.length - 1) && Double.isFinite(y[i])) {
        d.append(format("%s%.1f %.1f", d.isEmpty() ? "M" : "L", f.x(s.x[i]), f.y(y[i])));
      }
    }
    return format("<path class=\"s%d %s\" d=\"%s\"/>\n", s.colour, kind, d);
  }

  /** Mean of the neighbours on both sides, together at most a 20th of the line and 51 points. */
  private static double[] average(double[] y) {
    int most = Math.min(25, y.length / 40);
    double[] smooth = new double[y.length];
    for (int i = 0; i < y.length; i++) {
      int reach = Math.min(most, Math.min(i, y.length - 1 - i));
      double sum = 0;
      int count = 0;
      for (int j = i - reach; j <= i + reach; j++) {
        if (Double.isFinite(y[j])) {
          sum += y[j];
          count++;
        }
      }
      smooth[i] = count == 0 ? Double.NaN : sum / count;
    }
    return smooth;
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
