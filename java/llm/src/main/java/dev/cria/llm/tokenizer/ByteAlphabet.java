package dev.cria.llm.tokenizer;

import java.nio.charset.StandardCharsets;

/**
 * The alphabet of GPT-2 in which every byte is a printable character: bytes that print in Latin-1
 * stand for themselves, the others for U+0100 and up, in order.
 */
final class ByteAlphabet {
  private static final char[] CHARACTERS = new char[256];
  private static final short[] BYTES = new short[512];

  static {
    java.util.Arrays.fill(BYTES, (short) -1);
    int next = 256;
    for (int b = 0; b < 256; b++) {
      boolean prints = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      CHARACTERS[b] = (char) (prints ? b : next++);
      BYTES[CHARACTERS[b]] = (short) b;
    }
  }

  private ByteAlphabet() {}

  /** The character that stands for a byte, 0 to 255. */
  static char character(int value) {
    return CHARACTERS[value];
  }

  /** Bytes of a token, or the UTF-8 form of a token that is not written in the alphabet. */
  static byte[] bytes(String token) {
    byte[] bytes = new byte[token.length()];
    for (int i = 0; i < bytes.length; i++) {
      char c = token.charAt(i);
      if (c >= BYTES.length || BYTES[c] < 0) {
        return Utf8.encode(token);
      }
      bytes[i] = (byte) BYTES[c];
    }
    return bytes;
  }

  /** The bytes of a text, each as its character. */
  static String write(String text) {
    byte[] bytes = Utf8.wellFormed(text).getBytes(StandardCharsets.UTF_8);
    char[] characters = new char[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      characters[i] = CHARACTERS[bytes[i] & 0xFF];
    }
    return new String(characters);
  }
}
