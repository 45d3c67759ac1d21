package dev.cria.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.llm.chat.ChatTemplate;
import dev.cria.llm.chat.Message;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerFiles;
import dev.cria.llm.tokenizer.TokenizerLoader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Letters are tokens, and the tokenizer survives its files. */
final class LettersTest {
  private static final String TEXT = "Q: Spell rakimo backwards.\nA: omikar é";

  @TempDir private Path folder = Path.of("");

  @Test
  void everyLetterIsOneToken() {
    Tokenizer tokenizer = Letters.tokenizer();
    assertThat(tokenizer.encode("rakimo es", false)).hasSize(9).doesNotHaveDuplicates();
    assertThat(tokenizer.decode(tokenizer.encode(TEXT, false))).isEqualTo(TEXT);
  }

  @Test
  void filesGiveTheSameTokenizer() throws IOException {
    Tokenizer tokenizer = Letters.tokenizer();
    TokenizerFiles.write(tokenizer, folder, Optional.of(Letters.CHAT_TEMPLATE), 128);
    int[] ids = tokenizer.encode(TEXT, false);
    for (String name : List.of("tokenizer.model", "tokenizer.json")) {
      Tokenizer read = TokenizerLoader.loadFile(folder.resolve(name));
      assertThat(read.encode(TEXT, false)).isEqualTo(ids);
      assertThat(read.vocabSize()).isEqualTo(tokenizer.vocabSize());
      assertThat(read.eosId()).isEqualTo(tokenizer.eosId());
    }
  }

  @Test
  void templateOfTheFolderOnlyAppends() throws IOException {
    Tokenizer tokenizer = Letters.tokenizer();
    TokenizerFiles.write(tokenizer, folder, Optional.of(Letters.CHAT_TEMPLATE), 128);
    ChatTemplate template = ChatTemplate.load(folder, tokenizer).orElseThrow();
    List<Message> messages = List.of(Message.user("a"), Message.assistant("b"), Message.user("c"));
    assertThat(template.render(messages.subList(0, 1), true)).isEqualTo("<s>Q: a\nA: ");
    assertThat(template.render(messages, true)).isEqualTo("<s>Q: a\nA: b</s>\nQ: c\nA: ");
  }
}
