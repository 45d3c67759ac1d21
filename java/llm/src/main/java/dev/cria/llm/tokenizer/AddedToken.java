package dev.cria.llm.tokenizer;

/**
 * A token that is looked for in the text itself before the vocabulary is applied.
 *
 * @param id its id
 * @param text its written form
 * @param special whether it is found only on request and left out of decoded text
 * @param leftStrip whether white space before it disappears
 * @param rightStrip whether white space after it disappears
 */
public record AddedToken(
    int id, String text, boolean special, boolean leftStrip, boolean rightStrip) {
  /** A token that keeps the white space around it. */
  public static AddedToken of(int id, String text, boolean special) {
    return new AddedToken(id, text, special, false, false);
  }
}
