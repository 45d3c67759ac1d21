package dev.cria.llm.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Byte by byte, text comes out as from the whole, and never a part of a character. */
class TokenDecoderTest {
  /** A vocabulary of the 256 bytes. */
  private static final class Bytes extends TokenDecoder {
    @Override
    protected byte[] bytesOf(int id) {
      return new byte[] {(byte) id};
    }
  }

  private static String byteByByte(byte[] bytes) {
    TokenDecoder decoder = new Bytes();
    StringBuilder text = new StringBuilder();
    for (byte b : bytes) {
      text.append(decoder.accept(b));
    }
    return text.append(decoder.finish()).toString();
  }

  @Test
  void charactersAppearWhenTheyAreComplete() {
    TokenDecoder decoder = new Bytes();
    assertThat(decoder.accept(0xF0)).isEmpty();
    assertThat(decoder.accept(0x9F)).isEmpty();
    assertThat(decoder.accept(0x99)).isEmpty();
    assertThat(decoder.accept(0x82)).isEqualTo("\uD83D\uDE42");
    assertThat(decoder.accept('a')).isEqualTo("a");
    assertThat(decoder.accept(0xC3)).isEmpty();
    assertThat(decoder.accept('b')).isEqualTo("\uFFFDb");
    assertThat(decoder.accept(0xE2)).isEmpty();
    assertThat(decoder.finish()).isEqualTo("\uFFFD");
    assertThat(decoder.finish()).isEmpty();
  }

  @Test
  void anyBytesGiveTheTextOfTheWhole() {
    Random random = new Random(5);
    // Where the rules of UTF-8 change. Not 0xED: of encoded surrogates, the JDK replaces all three
    // bytes at once.
    int[] edges = {
      0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE2, 0xEF, 0xF0,
      0xF4, 0xF5, 0xFF
    };
    for (int round = 0; round < 20_000; round++) {
      byte[] bytes = new byte[random.nextInt(9)];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = (byte) edges[random.nextInt(edges.length)];
      }
      assertThat(byteByByte(bytes)).isEqualTo(new String(bytes, StandardCharsets.UTF_8));
    }
  }
}
