/** The cria command. */
@org.jspecify.annotations.NullMarked
module dev.cria.cli {
  requires static org.jspecify;
  requires dev.cria.llm;
  requires info.picocli;
  requires me.tongfei.progressbar;

  opens dev.cria.cli to
      info.picocli,
      tools.jackson.databind;
  opens dev.cria.cli.demo to
      tools.jackson.databind;
}
