package dev.cria.llm.tokenizer;

import java.nio.charset.StandardCharsets;

/** UTF-8 in both directions that loses no character and never fails. */
final class Utf8 {
  private Utf8() {}

  /** Bytes of a text; a lone surrogate, which UTF-8 cannot say, becomes U+FFFD. */
  static byte[] encode(String text) {
    return wellFormed(text).getBytes(StandardCharsets.UTF_8);
  }

  /** The text with U+FFFD in place of each lone surrogate. */
  static String wellFormed(String text) {
    StringBuilder copy = null;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) {
        continue;
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        continue;
      }
      copy = copy == null ? new StringBuilder(text) : copy;
      copy.setCharAt(i, '\uFFFD');
    }
    return copy == null ? text : copy.toString();
  }

  /** Text of the bytes, U+FFFD for each maximal part that is not UTF-8. */
  static String decode(byte[] bytes, int offset, int count) {
    return new String(bytes, offset, count, StandardCharsets.UTF_8);
  }

  /**
   * Length in bytes of the character that begins with {@code lead}, or 1 where nothing can begin
   * with it.
   */
  static int length(int lead) {
    if (lead >= 0xF5 || lead < 0xC2) {
      return 1;
    }
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  }

  /**
   * Whether {@code second} may follow {@code lead}; excludes overlong forms, surrogates and values
   * past U+10FFFF.
   */
  static boolean validSecond(int lead, int second) {
    int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    return second >= low && second <= high;
  }
}
