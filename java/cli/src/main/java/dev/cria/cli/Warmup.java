package dev.cria.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Length of the warm-up.
 *
 * @param steps number of steps, -1 to go by the share
 * @param share of all steps
 */
record Warmup(long steps, double share) {
  /** Reads {@code 100} (steps) or {@code 3%}. */
  static final class Converter implements ITypeConverter<Warmup> {
    @Override
    public Warmup convert(String text) {
      try {
        if (text.endsWith("%")) {
          double share = Double.parseDouble(text.substring(0, text.length() - 1)) / 100;
          if (share >= 0 && share <= 1) {
            return new Warmup(-1, share);
          }
        } else {
          long steps = Long.parseLong(text);
          if (steps >= 0) {
            return new Warmup(steps, 0);
          }
        }
      } catch (NumberFormatException e) {
        throw new TypeConversionException("'" + text + "' is neither steps (100) nor a share (3%)");
      }
      throw new TypeConversionException(
          "'" + text + "' is out of range; 0 steps or more, or 0% to 100%");
    }
  }

  @Override
  public String toString() {
    return steps >= 0 ? Long.toString(steps) : 100 * share + "%";
  }
}
