package dev.cria.llm.chat;

import dev.cria.llm.InvalidInputException;
import java.util.regex.Pattern;

/**
 * Prepares Jinja text for the template engine: white space around blocks goes as under Jinja's
 * {@code trim_blocks} and {@code lstrip_blocks} (a block alone on its line leaves nothing of that
 * line), comments go, and a few constructs that the engine lacks are put in other words.
 */
final class TemplateSource {
  private static final Pattern FILTERED_LOOP =
      Pattern.compile("for\\s.*?\\sin\\s.*?\\sif\\s(?!.*\\selse\\s).*", Pattern.DOTALL);

  private final String name;
  private final String text;
  private final StringBuilder out = new StringBuilder();

  private TemplateSource(String name, String text) {
    this.name = name;
    this.text = text;
  }

  /** The text for the engine; {@code name} stands in errors. */
  static String prepare(String name, String jinja) {
    String lines = jinja.replace("\r\n", "\n").replace('\r', '\n');
    // One newline at the very end does not count.
    String text = lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines;
    return new TemplateSource(name, text).run();
  }

  private String run() {
    int at = 0;
    boolean lineStart = true;
    while (true) {
      int open = nextTag(at);
      if (open < 0) {
        return out.append(text, at, text.length()).toString();
      }
      char kind = text.charAt(open + 1);
      int close = kind == '#' ? text.indexOf("#}", open + 2) : endOfTag(open);
      if (close < 0) {
        throw new InvalidInputException(
            "chat template " + name,
            "line "
                + (1 + text.substring(0, open).chars().filter(c -> c == '\n').count())
                + ": a tag is not closed");
      }
      String data = text.substring(at, open);
      String inner = text.substring(open + 2, close);
      boolean plus = inner.startsWith("+");
      if (kind != '{' && !plus && !inner.startsWith("-")) {
        int start = data.lastIndexOf('\n') + 1;
        if ((start > 0 || lineStart) && data.substring(start).isBlank()) {
          data = data.substring(0, start);
        }
      }
      out.append(data);
      at = close + 2;
      lineStart = false;
      boolean keeps = inner.endsWith("+") || (inner.endsWith("-") && inner.length() > 1);
      if (kind == '#') {
        at = comment(inner, at);
      } else {
        String plain = plus ? inner.substring(1) : inner;
        plain = plain.endsWith("+") ? plain.substring(0, plain.length() - 1) : plain;
        out.append('{')
            .append(kind)
            .append(rewrite(kind, plain))
            .append(kind == '{' ? '}' : '%')
            .append('}');
      }
      if (kind != '{' && !keeps && at < text.length() && text.charAt(at) == '\n') {
        at++;
        lineStart = true;
      }
    }
  }

  /**
   * Leaves a comment out, with the white space that its dashes take along; returns where the text
   * goes on.
   */
  private int comment(String inner, int after) {
    int at = after;
    if (inner.startsWith("-")) {
      while (!out.isEmpty() && Character.isWhitespace(out.charAt(out.length() - 1))) {
        out.setLength(out.length() - 1);
      }
    }
    while (inner.endsWith("-") && at < text.length() && Character.isWhitespace(text.charAt(at))) {
      at++;
    }
    return at;
  }

  private String rewrite(char kind, String inner) {
    String body = inner.replaceAll("^-|-$", "").strip();
    if (kind == '%' && FILTERED_LOOP.matcher(body).matches()) {
      throw new InvalidInputException(
          "chat template " + name, "a loop with a condition is not supported: " + body);
    }
    // Marks of training text in newer templates; they render as what is inside.
    if (kind == '%' && body.equals("generation")) {
      return inner.replace("generation", "if true");
    }
    if (kind == '%' && body.equals("endgeneration")) {
      return inner.replace("endgeneration", "endif");
    }
    return inner.replace("[::-1]", "|reverse|list");
  }

  private int nextTag(int from) {
    for (int i = text.indexOf('{', from);
        i >= 0 && i + 1 < text.length();
        i = text.indexOf('{', i + 1)) {
      char next = text.charAt(i + 1);
      if (next == '{' || next == '%' || next == '#') {
        return i;
      }
    }
    return -1;
  }

  /**
   * Place of the end mark of the tag at {@code open}, text in quotes passed over; -1 if there is
   * none.
   */
  private int endOfTag(int open) {
    char mark = text.charAt(open + 1) == '{' ? '}' : '%';
    int braces = 0;
    char quote = 0;
    for (int i = open + 2; i + 1 < text.length(); i++) {
      char c = text.charAt(i);
      if (quote != 0) {
        if (c == '\\') {
          i++;
        } else if (c == quote) {
          quote = 0;
        }
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == mark && text.charAt(i + 1) == '}' && braces == 0) {
        return i;
      } else if (c == '{') {
        braces++;
      } else if (c == '}' && braces > 0) {
        braces--;
      }
    }
    return -1;
  }
}
