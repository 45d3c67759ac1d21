package dev.cria.cli.demo;

import dev.cria.llm.tokenizer.SentencePieceModel;
import dev.cria.llm.tokenizer.SentencePieceModel.Kind;
import dev.cria.llm.tokenizer.SentencePieceModel.Normalizer;
import dev.cria.llm.tokenizer.SentencePieceModel.Piece;
import dev.cria.llm.tokenizer.SentencePieceModel.Type;
import dev.cria.llm.tokenizer.SentencePieceTokenizer;
import dev.cria.llm.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The tokenizer of the demo: a SentencePiece model in which every letter is a token of its own, and
 * text beyond its alphabet goes byte by byte.
 */
public final class Letters {
  /** Jinja text of the form of instructions; it is kept in the model folder. */
  public static final String CHAT_TEMPLATE =
      "{{- bos_token }}{% for message in messages %}"
          + "{% if message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
          + "{% if not loop.last %}{{ '\\n' }}{% endif %}"
          + "{% else %}{{ 'Q: ' + message['content'] + '\\nA: ' }}{% endif %}{% endfor %}";

  private static final String SPACE = "\u2581"; // as SentencePiece writes it

  private Letters() {}

  /** The tokenizer, which is the same in every demo. */
  public static Tokenizer tokenizer() {
    List<Piece> pieces = new ArrayList<>();
    pieces.add(new Piece("<unk>", 0, Type.UNKNOWN));
    pieces.add(new Piece("<s>", 0, Type.CONTROL));
    pieces.add(new Piece("</s>", 0, Type.CONTROL));
    for (int b = 0; b < 256; b++) {
      pieces.add(new Piece("<0x%02X>".formatted(b), 0, Type.BYTE));
    }
    List<String> letters = new ArrayList<>(List.of(SPACE));
    for (char c = '!'; c <= '~'; c++) {
      letters.add(String.valueOf(c));
    }
    for (String letter : letters) {
      pieces.add(new Piece(letter, -letters.indexOf(letter), Type.NORMAL));
    }
    SentencePieceModel model =
        new SentencePieceModel(
            pieces,
            new SentencePieceModel.Trainer(Kind.BPE, true, 0, 1, 2, -1, false),
            new Normalizer("identity", new byte[0], false, false, true),
            Optional.empty());
    return new SentencePieceTokenizer(model, List.of(), true);
  }
}
