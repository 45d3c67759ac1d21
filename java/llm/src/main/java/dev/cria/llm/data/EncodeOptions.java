package dev.cria.llm.data;

/**
 * How records become tokens.
 *
 * @param maxLength most tokens of a text, or of a prompt with its longer answer
 * @param truncate whether what is longer is cut instead of refused
 * @param appendEos whether EOS ends texts and answers that no end mark of a template ends
 */
public record EncodeOptions(int maxLength, boolean truncate, boolean appendEos) {
  /** Checks that something fits. */
  public EncodeOptions {
    if (maxLength < 2) {
      throw new IllegalArgumentException("max length " + maxLength + ", at least 2 expected");
    }
  }
}
