package dev.cria.llm.tokenizer;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a text at added tokens: the leftmost first, the longest among those that begin at one place.
 */
final class AddedTokens {
  private final List<AddedToken> all;
  private final Map<Character, List<AddedToken>> byFirst = new HashMap<>();
  private final Map<Integer, AddedToken> byId = new HashMap<>();

  /** A part of a text: a token, or text between tokens where {@code token} is null. */
  record Part(String text, @Nullable AddedToken token) {}

  AddedTokens(List<AddedToken> tokens) {
    all = List.copyOf(tokens);
    for (AddedToken token : all) {
      if (!token.text().isEmpty()) {
        byFirst.computeIfAbsent(token.text().charAt(0), c -> new ArrayList<>()).add(token);
      }
      byId.put(token.id(), token);
    }
    for (List<AddedToken> list : byFirst.values()) {
      list.sort(Comparator.comparingInt((AddedToken t) -> t.text().length()).reversed());
    }
  }

  List<AddedToken> all() {
    return all;
  }

  /** The token with an id, or null. */
  @Nullable AddedToken get(int id) {
    return byId.get(id);
  }

  /** Parts of the text in order; empty text between tokens is left out. */
  List<Part> split(String text, boolean parseSpecial) {
    List<Part> parts = new ArrayList<>();
    int begin = 0;
    int at = 0;
    while (at < text.length()) {
      AddedToken token = find(text, at, parseSpecial);
      if (token == null) {
        at++;
        continue;
      }
      int end = at;
      while (token.leftStrip() && end > begin && Character.isWhitespace(text.charAt(end - 1))) {
        end--;
      }
      if (end > begin) {
        parts.add(new Part(text.substring(begin, end), null));
      }
      parts.add(new Part(token.text(), token));
      at += token.text().length();
      while (token.rightStrip() && at < text.length() && Character.isWhitespace(text.charAt(at))) {
        at++;
      }
      begin = at;
    }
    if (begin < text.length()) {
      parts.add(new Part(text.substring(begin), null));
    }
    return parts;
  }

  private @Nullable AddedToken find(String text, int at, boolean parseSpecial) {
    for (AddedToken token : byFirst.getOrDefault(text.charAt(at), List.of())) {
      if ((parseSpecial || !token.special()) && text.startsWith(token.text(), at)) {
        return token;
      }
    }
    return null;
  }
}
