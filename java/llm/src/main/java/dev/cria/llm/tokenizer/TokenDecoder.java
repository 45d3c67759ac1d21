package dev.cria.llm.tokenizer;

import java.util.Arrays;

/**
 * Turns ids into text one at a time. Bytes of an unfinished character are held back until it is
 * complete; bytes that can never become a character give U+FFFD, one for each maximal broken part,
 * as {@link String} decodes them.
 */
public abstract class TokenDecoder {
  private byte[] pending = new byte[16];
  private int count;

  /** For subclasses, one per kind of vocabulary. */
  protected TokenDecoder() {}

  /** Bytes of text that this id adds; may depend on the ids before. */
  protected abstract byte[] bytesOf(int id);

  /** Takes the next id and returns the text that is complete now, possibly empty. */
  public final String accept(int id) {
    byte[] more = bytesOf(id);
    if (count + more.length > pending.length) {
      pending = Arrays.copyOf(pending, Math.max(pending.length * 2, count + more.length));
    }
    System.arraycopy(more, 0, pending, count, more.length);
    count += more.length;
    int complete = count - unfinished();
    String text = Utf8.decode(pending, 0, complete);
    System.arraycopy(pending, complete, pending, 0, count - complete);
    count -= complete;
    return text;
  }

  /** Ends the text and returns what was held back, with U+FFFD for the broken part. */
  public final String finish() {
    String text = Utf8.decode(pending, 0, count);
    count = 0;
    return text;
  }

  /** Number of bytes at the end that begin a character which more bytes may complete. */
  private int unfinished() {
    for (int back = 1; back <= Math.min(3, count); back++) {
      int lead = pending[count - back] & 0xFF;
      if (lead >= 0xC0) {
        boolean hopeful =
            back < Utf8.length(lead)
                && (back < 2 || Utf8.validSecond(lead, pending[count - back + 1] & 0xFF));
        return hopeful ? back : 0;
      }
      if (lead < 0x80) {
        return 0;
      }
    }
    return 0;
  }
}
