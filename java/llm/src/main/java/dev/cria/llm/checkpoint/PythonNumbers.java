package dev.cria.llm.checkpoint;

import java.math.BigDecimal;

/** Numbers as Python prints them, for files that must be equal byte for byte. */
final class PythonNumbers {
  private PythonNumbers() {}

  /**
   * The shortest decimal that reads back as {@code value}: plain between 1e-4 and 1e16, else with
   * an exponent of at least two digits, as {@code repr(float)} does.
   */
  static String repr(double value) {
    if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    BigDecimal decimal = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    String digits = decimal.unscaledValue().abs().toString();
    int exponent = digits.length() - decimal.scale() - 1;
    String sign = value < 0 ? "-" : "";
    if (exponent >= -4 && exponent < 16) {
      String plain = decimal.toPlainString();
      return plain.contains(".") ? plain : plain + ".0";
    }
    String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
    String size = Math.abs(exponent) < 10 ? "0" + Math.abs(exponent) : "" + Math.abs(exponent);
    return sign + mantissa + "e" + (exponent < 0 ? "-" : "+") + size;
  }
}
